"""What one report costs a trainer in Python: experiments.report() beside print(json.dumps(…), flush=True) into a pipe that
is read, as a container's output is, and into a file; tensorboardX, W&B offline, and MLflow's file store.

All in one process, in turns, each call timed. Tight: as many calls as can be, a block of each in each round. Paced: one call
every 10 ms, each by another. Shown are median and range over the rounds of each round's p50 and p99: of the time that
passed, and of the thread's processor time, which does not have in it what else the machine did.

    tests/bench/bench_report.py [NAME]...    only these, such as print"""

import contextlib
import json
import logging
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("EXPERIMENTS_AGENT", str(ROOT / "build/release/agent/experiments-agent"))
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "reporters/python")]

from agent.harness import Agent, clean_environment  # noqa: E402

ROUNDS = 9
TIGHT_CALLS = 2000
PACED_CALLS = 200
PACE_SECONDS = 0.01


# Each way is a context that gives a function of step and value, and leaves when what it started has ended.

@contextlib.contextmanager
def experiments_report(here):
    import experiments
    agent = Agent(here)
    reporter = experiments.Reporter(str(here / "experiments/agent.sock"))
    agent.wait_for_report()
    reporter.report(step=0, loss=1.0)
    assert reporter.flush(10)
    yield lambda step, value: reporter.report(step=step, loss=value)
    assert reporter.flush(60) and not reporter.dropped() and not reporter.unconfirmed(), "reports were lost"
    reporter._ended = True
    agent.stop()
    agent.close()


@contextlib.contextmanager
def metrics_file(here):
    """Where there is a directory and no agent."""
    import experiments
    from experiments import delivery
    directory = here / "file"
    directory.mkdir()
    os.environ["EXPERIMENTS_DIR"] = str(directory)
    before, delivery.MOMENT_SECONDS = delivery.MOMENT_SECONDS, 0.0
    reporter = experiments.Reporter()
    reporter.report(step=0, loss=1.0)
    delivery.MOMENT_SECONDS = before
    assert (directory / "reported.jsonl").exists()
    yield lambda step, value: reporter.report(step=step, loss=value)
    reporter._ended = True


@contextlib.contextmanager
def print_to_pipe(here):
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=clean_environment())
    with os.fdopen(os.dup(reader.stdin.fileno()), "w") as out:
        yield lambda step, value: print(json.dumps({"step": step, "loss": value}), file=out, flush=True)
    reader.stdin.close()
    reader.wait()


@contextlib.contextmanager
def print_to_file(here):
    with open(here / "printed", "w") as out:
        yield lambda step, value: print(json.dumps({"step": step, "loss": value}), file=out, flush=True)


@contextlib.contextmanager
def tensorboardx(here):
    from tensorboardX import SummaryWriter
    writer = SummaryWriter(str(here / "tensorboardX"))
    yield lambda step, value: writer.add_scalar("loss", value, step)
    writer.close()


@contextlib.contextmanager
def wandb_offline(here):
    import wandb
    run = wandb.init(mode="offline", dir=str(here), settings=wandb.Settings(console="off", silent=True))
    yield lambda step, value: run.log({"loss": value}, step=step)
    run.finish()


@contextlib.contextmanager
def mlflow_files(here):
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri((here / "mlflow").as_uri())
    with mlflow.start_run():
        yield lambda step, value: mlflow.log_metric("loss", value, step=step)


# Name, way, and what share of the calls of a block it makes: some would take minutes.
WAYS = [("experiments.report", experiments_report, 1), ("the same, without an agent", metrics_file, 1),
        ("print(json.dumps) to a pipe", print_to_pipe, 1), ("print(json.dumps) to a file", print_to_file, 1),
        ("tensorboardX add_scalar", tensorboardx, 1), ("W&B offline log", wandb_offline, 0.25),
        ("MLflow file store log_metric", mlflow_files, 0.1)]


def measure(function, step):
    """Microseconds of one call, that passed and of the processor."""
    value = 1 / (step + 1)
    cpu = time.thread_time_ns()
    started = time.perf_counter_ns()
    function(step, value)
    passed = time.perf_counter_ns() - started
    return passed / 1000, (time.thread_time_ns() - cpu) / 1000


def percentiles(times):
    """p50 and p99 of what passed, and of the processor."""
    found = []
    for column in zip(*times):
        column = sorted(column)
        found += [column[len(column) // 2], column[min(len(column) - 1, int(0.99 * len(column)))]]
    return found


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def tight_round(ways, steps, turn):
    rotated = ways[turn % len(ways):] + ways[:turn % len(ways)]
    times = {name: [] for name, *_ in ways}
    for name, function, share in rotated:
        for _ in range(max(100, int(TIGHT_CALLS * share))):
            steps[name] += 1
            times[name].append(measure(function, steps[name]))
        time.sleep(0.2)  # what goes on behind a call is not the next one's
    return times


def paced_round(ways, steps, turn):
    times = {name: [] for name, *_ in ways}
    for _ in range(PACED_CALLS):
        for name, function, _ in ways:
            time.sleep(PACE_SECONDS)
            steps[name] += 1
            times[name].append(measure(function, steps[name]))
    return times


def bench(title, play_round, ways, steps):
    rounds = []
    for turn in range(ROUNDS):
        times = play_round(ways, steps, turn)
        rounds.append({name: percentiles(times[name]) for name in times})
    print(f"\n{title}: microseconds a report\n\n{'':30} {'p50':>25} {'p99':>31} {'p50, processor':>25} {'p99, processor':>31}")
    for name, *_ in ways:
        p50, p99, cpu50, cpu99 = map(spread, zip(*(one[name] for one in rounds)))
        print(f"{name:30} {p50:>25} {p99:>31} {cpu50:>25} {cpu99:>31}", flush=True)


def main():
    chosen = [way for way in WAYS if not sys.argv[1:] or any(word in way[0] for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory() as here, contextlib.ExitStack() as stack:
        ways = [(name, stack.enter_context(way(pathlib.Path(here))), share) for name, way, share in chosen]
        steps = dict.fromkeys((name for name, *_ in ways), 0)
        for name, function, _ in ways:  # what is made at the first call is no report's cost
            for _ in range(20):
                steps[name] += 1
                function(steps[name], 0.5)
        bench("Tight", tight_round, ways, steps)
        bench("Paced, one every 10 ms", paced_round, ways, steps)


if __name__ == "__main__":
    main()
