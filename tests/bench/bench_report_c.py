"""What one report costs a trainer in C: exp_report() to a running agent beside printf() with fflush() into a pipe that is read, as
a container's output is, and into a file.

All in one process, in turns, each call timed. Tight: as many calls as can be, a block of each in each round. Paced: one call
every 10 ms, each by another. Shown are median and range over the rounds of each round's p50 and p99."""

import collections
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("EXPERIMENTS_AGENT", str(ROOT / "build/release/agent/experiments-agent"))
sys.path[:0] = [str(ROOT / "tests")]

from agent.harness import Agent, clean_environment  # noqa: E402

PROGRAM = ROOT / "build/release/tests/bench/bench_report_c"
ROUNDS, TIGHT_CALLS, PACED_CALLS = 9, 5000, 200


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def run(here, socket):
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=clean_environment())
    done = subprocess.run([PROGRAM, str(ROUNDS), str(TIGHT_CALLS), str(PACED_CALLS), here / "printed"], stdout=reader.stdin,
                          stderr=subprocess.PIPE, text=True, env=clean_environment({"EXPERIMENTS_SOCKET": str(socket)}))
    reader.stdin.close()
    reader.wait()
    if done.returncode != 0:
        sys.exit(f"{PROGRAM}: {done.stderr}")
    return done.stderr.splitlines()


def main():
    with tempfile.TemporaryDirectory() as here:
        here = pathlib.Path(here)
        agent = Agent(here, "--socket", here / "socket")
        agent.wait_for_report()
        figures = collections.defaultdict(lambda: ([], []))
        for line in run(here, here / "socket"):
            kind, name, p50, p99 = line.split()
            for values, value in zip(figures[kind, name], (p50, p99)):
                values.append(int(value) / 1000)
        agent.stop()
        agent.close()
    print(f"One report in C: µs, over {ROUNDS} rounds\n\n{'':6} {'':26} {'p50':>24} {'p99':>24}")
    for (kind, name), (p50, p99) in figures.items():
        print(f"{kind:6} {name.replace('-', ' '):26} {spread(p50):>24} {spread(p99):>24}")


if __name__ == "__main__":
    main()
