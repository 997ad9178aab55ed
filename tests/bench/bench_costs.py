"""What following costs: wake-ups and processor time while nothing happens, the time from a line to a watcher of the
API server, system calls, syncs and bytes written for each 1,000 lines, what the state on disk costs the parser, and
memory in each phase. Without names all of them are measured:

    tests/bench/bench_costs.py [idle] [latency] [calls] [durability] [memory]

Those against an API server start one of their own (tests/cluster/apiserver.py)."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build/release/agent/experiments-agent"
STATIC = ROOT / "build/static/agent/experiments-agent"
os.environ["EXPERIMENTS_AGENT"] = str(RELEASE)
sys.path[:0] = [str(ROOT / "tests")]

from agent.harness import Directory, clean_environment  # noqa: E402
from cluster import objects  # noqa: E402
from cluster.apiserver import ApiServer  # noqa: E402
from footprint import loads  # noqa: E402
from footprint.measure import cpu_seconds, memory, wakeups  # noqa: E402

IDLE_SECONDS = 65  # a minute, and at an API server the two looks in it
REPORTS = 60
ROUNDS = 5


def line(epoch):
    return json.dumps({"epoch": epoch, "train_loss": 1 / epoch, "val_loss": 2 / epoch, "val_acc": 1 - 1 / epoch}) + "\n"


def spread(values, digits=1):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


class Run:
    """One agent that publishes to a directory, or to the API server where one is given."""

    def __init__(self, here, server=None, agent=RELEASE, flags=(), under=()):
        self.here = pathlib.Path(tempfile.mkdtemp(dir=here))
        self.dir, self.job = self.here / "experiments", f"job-{uuid.uuid4().hex[:12]}"
        self.dir.mkdir()
        self.metrics = self.dir / "metrics.jsonl"
        self.results = self.here / "results"
        self.watch = Directory(self.results)
        where = ["--to", self.results] if server is None else server.flags
        self.process = subprocess.Popen([*under, agent, "--dir", self.dir, "--job", self.job, *where, *flags],
                                        env=clean_environment(), stderr=open(self.here / "log", "w"))
        if server is None:
            self.watch.wait()

    @property
    def pid(self):
        """Of the agent itself, also below a tracer."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def wait_for_accepted(self, n):
        while json.loads((self.results / f"{self.job}.json").read_text())["status"]["agent"]["accepted"] < n:
            self.watch.wait()

    def stop(self, number=signal.SIGTERM):
        os.kill(self.pid, number)
        self.process.wait()
        self.watch.close()


class Server:
    """A namespace of an API server, and a watch of its Results."""

    def __init__(self, server):
        self.api = server.api()
        self.namespace = objects.create_namespace(self.api, f"bench-{os.getpid()}")
        self.path = f"/apis/ml.intel.com/v2/namespaces/{self.namespace}/results"
        self.flags = ["--server", server.server, "--ca-file", server.ca_file, "--token-file",
                      server.environment()["EXPERIMENTS_TEST_TOKEN_FILE"], "--namespace", self.namespace,
                      "--owner", "none"]
        connection = http.client.HTTPSConnection(self.api.host, int(self.api.port), context=self.api.context)
        connection.request("GET", f"{self.path}?watch=true", headers={"Authorization": "Bearer " + self.api.token})
        self.events = connection.getresponse()

    def wait_for_epoch(self, job, epoch):
        for event in map(json.loads, self.events):
            seen = event["object"]
            if seen["metadata"]["name"] == job and seen.get("status", {}).get("epoch", 0) >= epoch:
                return time.monotonic()


# --- idle ---

def bench_idle(here, server):
    print(f"Idle for {IDLE_SECONDS} s\n\n{'publishing to':16} {'wake-ups':>9} {'CPU ms':>7}")
    for name, where in (("a directory", None), ("an API server", server)):
        run = Run(here, where)
        run.metrics.write_text(line(1))
        if where:
            where.wait_for_epoch(run.job, 1)
        else:
            run.wait_for_accepted(1)
        time.sleep(5)  # the state is saved, and synced
        before = wakeups(run.pid), cpu_seconds(run.pid)
        time.sleep(IDLE_SECONDS)
        print(f"{name:16} {wakeups(run.pid) - before[0]:>9} {1000 * (cpu_seconds(run.pid) - before[1]):>7.0f}", flush=True)
        run.stop()


# --- latency ---

def bench_latency(here, server):
    """A publish is due all the time (--interval 1ms); a PATCH of the benchmark's own after each is the server's time."""
    run = Run(here, server, flags=["--interval", "1ms,1ms"])
    ours, servers = [], []
    for epoch in range(1, REPORTS + 6):
        time.sleep(0.1)
        started = time.monotonic()
        with open(run.metrics, "a") as file:
            file.write(line(epoch))
        seen = server.wait_for_epoch(run.job, epoch)
        patched = time.monotonic()
        path = f"{server.path}/{run.job}/status"
        body = {"status": {"summary": f"side by side {epoch}"}}
        if server.api.patch(path, body).status != 200:
            sys.exit(f"{path}: cannot be patched")
        if epoch > 5:  # the first ones warm up
            servers.append(1000 * (time.monotonic() - patched))
            ours.append(1000 * (seen - started))
    run.stop()
    more = sorted(own - theirs for own, theirs in zip(ours, servers))
    print(f"\nFrom a line to a watcher of the API server, a publish being due, {REPORTS} times: ms\n")
    print(f"line to watcher               {spread(ours)}\na PATCH by itself             {spread(servers)}")
    print(f"difference, pair by pair      {spread(more)}; p99 {more[int(0.99 * (len(more) - 1))]:.1f}", flush=True)


# --- calls ---

def counted(trace):
    """Calls, syncs and bytes written of an strace log."""
    calls = syncs = n_bytes = 0
    for name, result in re.findall(r"^(?:\d+ +)?(\w+)\(.*\) += (-?\d+)", trace.read_text(), re.M):
        calls += 1
        syncs += name in ("fsync", "fdatasync")
        if name in ("write", "pwrite64", "writev", "pwritev", "sendto") and int(result) > 0:
            n_bytes += int(result)
    return calls, syncs, n_bytes


def bench_calls(here):
    print("\nSystem calls, syncs and bytes written for each 1,000 lines, publishing to a directory\n")
    print(f"{'lines a second':>14} {'lines':>8} {'calls':>9} {'syncs':>7} {'bytes':>9}")
    for rate, n in ((1, 30), (100, 3000), (100_000, 1_000_000)):
        trace = here / "trace"
        run = Run(here, under=["strace", "-qq", "-s", "0", "-o", trace])
        before = counted(trace)
        at_once = max(1, rate // 100)
        started = time.monotonic()
        with open(run.metrics, "a", buffering=1 << 20) as file:
            for epoch in range(1, n + 1):
                file.write(line(epoch))
                if epoch % at_once == 0:
                    file.flush()
                    time.sleep(max(0, started + epoch / rate - time.monotonic()))
        run.wait_for_accepted(n)
        after = counted(trace)
        run.stop()
        print(f"{rate:>14} {n:>8} " + " ".join(f"{1000 * (b - a) / n:>{w}.2f}" for a, b, w in
                                               zip(before, after, (9, 7, 9))), flush=True)


# --- durability ---

def read_all(here, source, flags):
    run = Run(here, flags=flags)
    n = json_lines_in(source)
    os.link(source, run.metrics)
    run.wait_for_accepted(n)
    seconds = cpu_seconds(run.pid)
    run.stop()
    return seconds


def parse_all(source):
    process = subprocess.Popen([RELEASE, "parse", source], stdout=subprocess.DEVNULL, env=clean_environment())
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = code
    return usage.ru_utime + usage.ru_stime


def json_lines_in(path, known={}):
    if path not in known:
        with open(path, "rb") as file:
            known[path] = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return known[path]


def bench_durability(here):
    """Beside the agent with its state stands its command parse: the same readers and the same fold, without state,
    and without following and publishing, which are so not to the state's credit."""
    source = here / "source.jsonl"
    loads.json_lines(here)
    os.rename(here / "metrics.jsonl", source)
    ways = {"with state on disk": lambda: ["--state", tempfile.mkdtemp(dir=here)],
            "with state on tmpfs": lambda: ["--state", tempfile.mkdtemp(dir="/dev/shm")],
            "parse": None}
    seconds = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, flags in ways.items():
            seconds[name].append(read_all(here, source, flags()) if flags else parse_all(source))
    print(f"\n100 MB of JSON lines: CPU seconds, and how many times those of parse ({ROUNDS} rounds in turns)\n")
    for name, values in seconds.items():
        print(f"{name:20} {spread(values, 2):>22} {spread([a / b for a, b in zip(values, seconds['parse'])], 2):>22}", flush=True)


# --- memory ---

def nobody():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"https://127.0.0.1:{listening.getsockname()[1]}"


def bench_memory(here, server):
    print("\nMemory by phase: KiB of its own (anonymous) and resident, publishing every 50 ms\n")
    print(f"{'build':10} {'to':12} {'start':>14} {'following':>14} {'100 MB later':>14}")
    for build, agent in (("dynamic", RELEASE), ("static", STATIC)):
        down = type("Down", (), {"flags": ["--server", nobody()]})
        for name, where in (("directory", None), ("API server", server), ("API down", down)):
            if not agent.exists():
                sys.exit(f"{agent} is missing: make static")
            flags = ["--interval", "50ms,50ms"]
            if where is server:  # beside it to a directory too: that tells when all was read
                flags += ["--to", str(here / f"{build}-results")]
            run = Run(here, None if where is not server else where, agent,
                      flags if where is not down else [*flags, "--server", nobody()])
            if where is server:
                run.results = here / f"{build}-results"
                run.watch.close()
                run.watch = Directory(run.results)
            phases = []

            def look():
                time.sleep(2)  # until all that follows is done
                taken = memory(run.pid)
                phases.append(f"{taken['Anonymous']} {taken['Rss']}")

            look()
            (run.dir / "first.jsonl").write_text(line(1))
            look()
            n, _ = loads.json_lines(run.dir)
            run.wait_for_accepted(n)
            look()
            run.stop(signal.SIGKILL)
            print(f"{build:10} {name:12} " + " ".join(f"{phase:>14}" for phase in phases), flush=True)


def main():
    wanted = sys.argv[1:] or ["idle", "latency", "calls", "durability", "memory"]
    with tempfile.TemporaryDirectory() as here:
        here = pathlib.Path(here)
        with ApiServer(here / "cluster") as api_server:
            server = Server(api_server)
            if "idle" in wanted:
                bench_idle(here, server)
            if "latency" in wanted:
                bench_latency(here, server)
            if "memory" in wanted:
                bench_memory(here, server)
        if "calls" in wanted:
            bench_calls(here)
        if "durability" in wanted:
            bench_durability(here)


if __name__ == "__main__":
    main()
