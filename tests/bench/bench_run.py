"""What it costs a command to be run by the agent: throughput of its output beside the same command alone and beside
a pipe to `cat`, which moves the bytes as well and does nothing else. Rounds are interleaved; shown are medians and ranges, and
ratios round by round.

    tests/bench/bench_run.py"""

import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "build/release/agent/experiments-agent"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/agent"), str(ROOT / "tests/bench")]

import bench  # noqa: E402
from harness import clean_environment  # noqa: E402

BYTES = 100 * 1000 * 1000
ROUNDS = 9
LINES = 2_000  # of the latency, one at a time


def make_file(path, line):
    """BYTES of such lines."""
    chance, left, number = random.Random(1), BYTES, 0
    with open(path, "wb") as file:
        while left > 0:
            if line:
                number += 1
                data = f"{line(number, chance)}\n".encode()
            else:
                data = chance.randbytes(1 << 20)
            left -= file.write(data[:left])


def ways(command):
    agent = [str(AGENT), "run", "--to", "results", "--"]
    return {"alone": command, "cat": ["sh", "-c", '"$@" | cat', "sh", *command], "run": [*agent, *command]}


def seconds(command, work):
    """From start to end, read as fast as it comes; CPU seconds of all of it."""
    before = os.times()
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                               env=clean_environment())
    got = 0
    while data := process.stdout.read(1 << 20):
        got += len(data)
    assert process.wait() == 0 and got == BYTES
    after = os.times()
    return time.monotonic() - start, after.children_user + after.children_system - before.children_user - before.children_system


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def throughput(work):
    print("| output | | MB/s | CPU s a GB | time beside `cat` |\n| --- | --- | --- | --- | --- |")
    for name, line in (("a file's bytes, no text", None), ("log lines without a metric", bench.noise_line),
                       ("log lines, 1 % with metrics", bench.noisy_line), ("JSON lines, all metrics", bench.json_line)):
        path = work / "output"
        make_file(path, line)
        found = {way: [] for way in ways([])}
        for _ in range(ROUNDS):
            for way, command in ways(["cat", str(path)]).items():
                found[way].append(seconds(command, work))
        for way, rounds in found.items():
            walls = [wall for wall, _ in rounds]
            print(f"| {name} | {way} | {BYTES / 1e6 / statistics.median(walls):.0f} "
                  f"| {spread([cpu / BYTES * 1e9 for _, cpu in rounds])} "
                  f"| {spread([wall / cat for wall, (cat, _) in zip(walls, found['cat'])])} |")


# Writes a line when it is told to, with the time.
TELLS_TIME = """
import sys, time
for _ in sys.stdin:
    print(time.monotonic_ns(), flush=True)
"""


def latencies(command, work):
    """From the write of a line to the read of it, in microseconds."""
    process = subprocess.Popen(command, cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=clean_environment())
    found = []
    for _ in range(LINES):
        os.write(process.stdin.fileno(), b"\n")
        told = int(os.read(process.stdout.fileno(), 100))
        found.append((time.monotonic_ns() - told) / 1e3)
    process.stdin.close()
    assert process.wait() == 0
    return sorted(found)


def latency(work):
    print("\n| a line at a time | p50, µs | p99, µs |\n| --- | --- | --- |")
    for way, command in ways([sys.executable, "-c", TELLS_TIME]).items():
        found = latencies(command, work)
        print(f"| {way} | {found[len(found) // 2]:.0f} | {found[len(found) * 99 // 100]:.0f} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        throughput(pathlib.Path(directory))
        latency(pathlib.Path(directory))
