"""The harness itself: nothing is left behind, whatever ends; a start that fails says why."""

import os
import signal
import subprocess
import sys
import time

import pytest

from . import apiserver, objects
from .apiserver import ApiServer, ClusterError

PROGRAM = apiserver.__file__


def processes_in(directory):
    """Ids of the processes whose command line names the directory, the supervisor included."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read()
                with open(f"/proc/{name}/stat", "rb") as file:
                    state = file.read().rpartition(b") ")[2][:1]
            except OSError:
                continue
            if state != b"Z" and os.fsencode(directory) in words:
                found.append(int(name))
    return found


def eventually(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def supervisor_of(directory):
    for pid in processes_in(directory):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"supervise" in file.read().split(b"\0"):
                return pid
    return None


def run(*arguments, **options):
    return subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, **options)


def test_life_on_the_command_line(tmp_path):
    directory = tmp_path / ("a long name with blanks, " * 8)  # no path is too long for its socket
    done = run("start", directory)
    assert done.returncode == 0, done.stderr
    try:
        assert len(processes_in(directory)) == 3
        assert run("status", directory).returncode == 0
        again = run("start", directory)
        assert again.returncode == 1 and "running there already" in again.stderr

        script = '. "$1"; "$KUBECTL" --kubeconfig "$KUBECONFIG" get results && test -f "$EXPERIMENTS_TEST_CA_FILE"'
        shell = subprocess.run(["sh", "-c", script, "sh", directory / "env"], capture_output=True, text=True)
        assert shell.returncode == 0 and "No resources found" in shell.stderr, shell.stderr

        server = ApiServer(directory).attach()
        assert server.api().get("/readyz").body == "ok"
        assert server.kubectl("version").stdout.count("v1.") >= 2
    finally:
        assert run("stop", directory).returncode == 0
    assert eventually(lambda: not processes_in(directory), 5)
    assert run("stop", directory).returncode == 0
    assert run("status", directory).returncode == 1
    assert run("pause-etcd", directory).returncode == 1
    with pytest.raises(ClusterError, match="no server is running"):
        ApiServer(directory).attach()


def test_ends_with_its_parent(tmp_path):
    with subprocess.Popen(["sleep", "600"]) as parent:
        done = run("start", tmp_path, "--parent", parent.pid)
        assert done.returncode == 0, done.stderr
        parent.kill()
    assert eventually(lambda: not processes_in(tmp_path))
    assert not ApiServer(tmp_path).is_running()


def test_ends_when_its_starter_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, PROGRAM, "start", tmp_path], stderr=subprocess.DEVNULL) as starter:
        assert eventually(lambda: len(processes_in(tmp_path)) >= 3)
        starter.kill()
    assert eventually(lambda: not processes_in(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_supervisor(tmp_path, number):
    server = ApiServer(tmp_path).start()
    os.kill(supervisor_of(tmp_path), number)
    server.supervisor.wait(15)
    assert eventually(lambda: not processes_in(tmp_path), 5)
    server.stop()


def test_run_passes_the_exit_code_and_leaves_nothing(tmp_path):
    done = run("run", tmp_path, "--", "sh", "-c", '"$KUBECTL" get results; exit 7')
    assert done.returncode == 7 and "No resources found" in done.stderr, done.stderr
    assert not processes_in(tmp_path)


def test_interrupted_run_leaves_nothing(tmp_path):
    with subprocess.Popen([sys.executable, PROGRAM, "run", tmp_path, "--", "sleep", "600"],
                          stderr=subprocess.DEVNULL, start_new_session=True) as process:
        assert eventually(lambda: (tmp_path / "env").exists())
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 130
    assert not processes_in(tmp_path)


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver"])
def test_failed_start_says_why(tmp_path, monkeypatch, name):
    program = tmp_path / name
    program.write_text("#!/bin/sh\necho 'no such flag: --colour'\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("TEST_ASSET_" + name.upper().replace("-", "_"), str(program))
    with pytest.raises(ClusterError, match=rf"(?s){name} ended with code 3:.*no such flag: --colour"):
        ApiServer(tmp_path / "data").start()
    assert not processes_in(tmp_path / "data")


def test_taken_port_is_tried_again(tmp_path, monkeypatch):
    """The first two starts of etcd meet a port that somebody else took."""
    program = tmp_path / "etcd"
    real = apiserver.build()["etcd"]
    program.write_text(f"#!/bin/sh\nif [ -e '{tmp_path}/2' ]; then exec {real} \"$@\"; fi\n"
                       f"if [ -e '{tmp_path}/1' ]; then touch '{tmp_path}/2'; fi\ntouch '{tmp_path}/1'\n"
                       "echo 'listen tcp 127.0.0.1:1: bind: address already in use'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("TEST_ASSET_ETCD", str(program))
    with ApiServer(tmp_path / "data") as server:
        assert server.api().get("/readyz").status == 200


def test_assets_of_others(tmp_path, monkeypatch):
    """KUBEBUILDER_ASSETS is used as it is, or it is an error: nothing is built behind its back."""
    paths = apiserver.build()
    for name, path in paths.items():
        (tmp_path / name).symlink_to(path)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert apiserver.build() == {name: str(tmp_path / name) for name in paths}
    (tmp_path / "kubectl").unlink()
    with pytest.raises(ClusterError, match="KUBEBUILDER_ASSETS: no executable .*/kubectl"):
        apiserver.build()


def test_restart_and_outage(private_cluster):
    server, api = private_cluster, private_cluster.api()
    made = objects.create(api, objects.result("default", "mnist-7f3a"))
    server.restart_apiserver()
    path = objects.path("Result", "default", "mnist-7f3a")
    assert api.get(path).body["metadata"]["uid"] == made["metadata"]["uid"]
    assert objects.set_status(api, made, {"phase": "Running"}).status == 200

    server.stop_apiserver()
    with pytest.raises(ConnectionRefusedError):
        api.get(path)
    server.start_apiserver()
    assert api.get(path).body["status"] == {"phase": "Running"}


def test_paused_etcd(private_cluster):
    api = private_cluster.api()
    made = objects.create(api, objects.result("default", "mnist-7f3a"))
    with private_cluster.paused_etcd():
        start = time.monotonic()
        reply = objects.set_status(api, made, {"phase": "Running"}, query="?timeout=2s")
        assert reply.status == 504, reply
        assert time.monotonic() - start < 5
    assert eventually(lambda: objects.set_status(api, made, {"phase": "Running"}).status == 200)


def test_stops_while_paused(tmp_path):
    with ApiServer(tmp_path) as server:
        server.pause_etcd()
    assert not processes_in(tmp_path)


def test_controllers(controlled_cluster):
    """Pods are made for Jobs, and what an Experiment owns goes with it."""
    server, api = controlled_cluster, controlled_cluster.api()
    experiment = objects.create(api, objects.experiment("default", "collected"))
    objects.create(api, objects.job("default", "collected-1a2b3c4d", of=experiment))
    objects.create(api, objects.result("default", "collected-1a2b3c4d", of=experiment))
    server.kubectl("wait", "--for=create", "pod", "-l", "job-name=collected-1a2b3c4d", "--timeout=60s")
    server.kubectl("delete", "experiment", "collected", "--wait=false")
    for kind in ("result", "job"):
        server.kubectl("wait", "--for=delete", f"{kind}/collected-1a2b3c4d", "--timeout=60s")
