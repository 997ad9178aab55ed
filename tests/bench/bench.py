"""What the agent costs: speed of lines to records beside json-c and beside a loop that only counts
newlines, bytes and system calls a record, and the size of a Result over the number of epochs.

Ratios are measured side by side in one run, round by round; shown are their median and range."""

import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
AGENT = BUILD / "agent/experiments-agent"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/agent")]

from harness import Directory, clean_environment  # noqa: E402

FILE_BYTES = 64 * 1024 * 1024
ROUNDS = 9
NOISE = "2026-01-02 03:04:05,678 INFO worker {}: loading shard {} of the training set from cache"


def six_values(chance):
    return {"train_loss": chance.random(), "val_loss": chance.random(), "val_acc": chance.random(), "lr": 0.001,
            "grad_norm": 10 * chance.random()}


# One line of each kind of file; number counts from 1.
def json_line(number, chance):
    return json.dumps({"epoch": number, **six_values(chance)})


def csv_line(number, chance):
    if number == 1:
        return "epoch," + ",".join(six_values(chance))
    return ",".join(map(str, (number, *six_values(chance).values())))


def log_line(number, chance):
    return (f"2026-01-02 03:04:05,678 INFO Epoch {number // 1000}: step {number} "
            + " ".join(f"{name}={value:.5f}" for name, value in six_values(chance).items()))


def bar_line(number, chance):
    return (f"Epoch {number}/100000 - loss: {chance.random():.4f} - acc: {chance.random():.4f}"
            f" - val_loss: {chance.random():.4f} - val_acc: {chance.random():.4f}")


def noise_line(number, chance):
    return NOISE.format(number % 8, number)


def noisy_line(number, chance):
    return log_line(number, chance) if number % 100 == 1 else noise_line(number, chance)


# What is read, its lines, and what it is compared with.
KINDS = [("JSON lines, six keys", json_line, "json-c"), ("CSV, six columns", csv_line, "json-c"),
         ("text, a log of six values", log_line, "regex"), ("text, as Keras prints", bar_line, "regex"),
         ("text, 99 lines of noise each", noisy_line, "regex"), ("text, noise alone", noise_line, "regex")]


def write_file(path, line):
    chance = random.Random(0)
    n_bytes = number = 0
    with open(path, "w") as file:
        while n_bytes < FILE_BYTES:
            number += 1
            n_bytes += file.write(line(number, chance) + "\n")


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def bench_speed(here):
    """json-c cannot read text, so a CSV file is compared with JSON lines of the same values in it."""
    print("Lines to records: MB/s of CPU time, and how many times as fast as a full parse by json-c, as Katib's regular\n"
          f"expression on each line, and as counting newlines (median and range of {ROUNDS} rounds)\n")
    print(f"{'file':30} {'MB/s':>20} {'x json-c':>22} {'x regex':>22} {'x newlines':>22}")
    json_c = None
    for name, line, beside in KINDS:
        path = here / "metrics"
        write_file(path, line)
        done = subprocess.run([BUILD / "tests/bench/bench_records", path, str(ROUNDS)],
                              capture_output=True, text=True, check=True)
        result = {way: told["seconds_a_byte"] for way, told in json.loads(done.stdout).items() if way != "bytes"}
        json_c = json_c or result["json-c"]
        others = {"json-c": json_c if beside == "json-c" else None, "regex": result["regex"] if beside == "regex" else None,
                  "newlines": result["newlines"]}
        ratios = [spread([other / own for own, other in zip(result["ours"], others[way])]) if others[way] else ""
                  for way in ("json-c", "regex", "newlines")]
        speed = spread([1e-6 / s for s in result["ours"]], 0)
        print(f"{name:30} {speed:>20} {ratios[0]:>22} {ratios[1]:>22} {ratios[2]:>22}")


def publish_epochs(here, n_epochs, metrics=8, trace=None):
    """Runs the agent over a file of n_epochs until SIGTERM; returns its Result and the file's size."""
    here = pathlib.Path(tempfile.mkdtemp(dir=here))
    followed, results = here / "experiments", here / "results"
    followed.mkdir()
    chance = random.Random(0)
    path = followed / "metrics.jsonl"
    with open(path, "w") as file:
        for epoch in range(1, n_epochs + 1):
            file.write(json.dumps({"epoch": epoch, **{f"metric_{i}": chance.random() for i in range(metrics)}}) + "\n")
    directory = Directory(results)
    command = [AGENT, "--dir", followed, "--to", results, "--job", "bench"]
    if trace:
        command = ["strace", "-c", "-o", trace, *command]
    process = subprocess.Popen(command, env=clean_environment(), stderr=subprocess.PIPE)
    directory.wait()  # it runs: now it may end, and reads all that is there
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]) if trace else process.pid, signal.SIGTERM)
    _, log = process.communicate()
    directory.close()
    result = json.loads((results / "bench.json").read_text())
    if process.returncode or result["status"]["agent"]["accepted"] != n_epochs:
        sys.exit(f"the agent lost records: {log.decode()}")
    return result, path.stat().st_size


def bench_size(here):
    print("\nSize of a Result with 8 metrics: bytes of compact JSON\n")
    print(f"{'epochs':>9} {'bytes':>7} {'rows kept':>10} {'bytes a record':>15}")
    for n_epochs in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000):
        result, _ = publish_epochs(here, n_epochs)
        size = len(json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode())
        print(f"{n_epochs:>9} {size:>7} {len(result['status']['x']):>10} {size / n_epochs:>15.2f}")


def bench_system_calls(here):
    print("\nSystem calls, from start to end, publishing to a directory\n")
    print(f"{'records':>9} {'MB':>6} {'calls':>7} {'a record':>9}")
    for n_epochs in (100, 10_001, 1_000_001):
        trace = here / "trace"
        _, n_bytes = publish_epochs(here, n_epochs, trace=trace)
        calls = int(re.search(r"^100\.00 +\S+ +(?:\S+ +)?(\d+) +(?:\d+ +)?total$", trace.read_text(), re.M)[1])
        print(f"{n_epochs:>9} {n_bytes / 1e6:>6.1f} {calls:>7} {calls / n_epochs:>9.4f}")


def main():
    with tempfile.TemporaryDirectory() as here:
        here = pathlib.Path(here)
        bench_speed(here)
        bench_size(here)
        bench_system_calls(here)


if __name__ == "__main__":
    main()
