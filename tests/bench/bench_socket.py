"""How many reports a second the agent takes on its socket and has kept, and what each costs it; beside it the same
lines from a file. Round by round, all ways in turn, each with an agent of its own; shown are median and range.

    tests/bench/bench_socket.py [ROUNDS]"""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
AGENT = BUILD / "agent/experiments-agent"
sys.path[:0] = [str(ROOT / "tests")]

from agent.harness import clean_environment  # noqa: E402

REPORTS = 400_000
CLIENTS = (1, 10, 100)
METRICS = (1, 8)


class Run:
    """An agent on a directory of its own."""

    def __init__(self):
        self.here = tempfile.TemporaryDirectory()
        self.dir, self.to = pathlib.Path(self.here.name) / "x", pathlib.Path(self.here.name) / "to"
        self.dir.mkdir()
        self.process = subprocess.Popen([AGENT, "--dir", self.dir, "--to", self.to, "--job", "j", "--verbose"],
                                        stderr=subprocess.PIPE, env=clean_environment())
        for line in self.process.stderr:
            if b"listening" in line:
                break

    def end(self, n):
        """Microseconds of processor time a report, of the agent's whole life."""
        self.process.send_signal(signal.SIGTERM)
        self.process.stderr.read()
        _, self.process.returncode, usage = os.wait4(self.process.pid, 0)
        accepted = json.loads((self.to / "j.json").read_text())["status"]["agent"]["accepted"]
        self.here.cleanup()
        if accepted != n:
            sys.exit(f"{accepted} of {n} reports were accepted")
        return 1e6 * (usage.ru_utime + usage.ru_stime) / n


def socket_round(encoding, clients, metrics):
    run = Run()
    done = subprocess.run([BUILD / "tests/bench/bench_socket", run.dir / "agent.sock", encoding, str(clients), str(metrics), str(REPORTS)],
                          capture_output=True, text=True, check=True)
    n = REPORTS // clients * clients
    return n / float(done.stdout), run.end(n)


def file_round(metrics):
    """What a trainer appends to a metrics file: it is there at once, and the agent ends when it has read it."""
    run = Run()
    beside = pathlib.Path(run.here.name) / "metrics.jsonl"
    with open(beside, "w") as file:
        for epoch in range(1, REPORTS + 1):
            values = ",".join(f'"metric_{i}":{1 / (epoch + i):.6g}' for i in range(metrics))
            file.write(f'{{"epoch":{epoch},{values}}}\n')
    started = time.monotonic()
    beside.rename(run.dir / "metrics.jsonl")
    cost = run.end(REPORTS)
    return REPORTS / (time.monotonic() - started), cost


def spread(values, digits=0):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    ways = [("a file", metrics, 1, lambda metrics=metrics: file_round(metrics)) for metrics in METRICS]
    ways += [(encoding, metrics, clients, lambda e=encoding, c=clients, m=metrics: socket_round(e, c, m))
             for metrics in METRICS for encoding in ("json", "protobuf") for clients in CLIENTS]
    told = {way[:3]: [] for way in ways}
    for _ in range(rounds):
        for *way, measure in ways:
            told[tuple(way)].append(measure())
    print(f"Reports a second that are kept, and microseconds of the agent's processor time for each (median and range of {rounds} "
          f"rounds of {REPORTS} reports; the clients run on the same {os.cpu_count()} processors)\n")
    print(f"{'from':10} {'metrics':>7} {'clients':>7} {'reports/s':>27} {'CPU us a report':>22}")
    for (name, metrics, clients), rounds_told in told.items():
        rates, costs = zip(*rounds_told)
        print(f"{name:10} {metrics:>7} {clients:>7} {spread(rates):>27} {spread(costs, 2):>22}", flush=True)


if __name__ == "__main__":
    main()
