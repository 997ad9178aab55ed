#!/usr/bin/env python3
"""The whole way on real input: several trainers, the agent beside each, and their Results.

    demo.py             Results as files in build/demo/results
    demo.py --cluster   Results in the API of a real Kubernetes API server, started and stopped here

What is shown is read from the published Results, never from the trainers. At the end, each curve is
compared with what its trainer itself computed."""

import argparse
import contextlib
import hashlib
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "build" / "demo"
AGENT = os.environ.get("EXPERIMENTS_AGENT", ROOT / "build" / "release" / "agent" / "experiments-agent")
SETTINGS = [{"lr": lr, "hidden": hidden} for lr, hidden in
            ((0.001, 16), (0.003, 32), (0.01, 32), (0.03, 16), (0.003, 64), (0.01, 64))]
AT_ONCE = 2
FRAME_S = 0.25
BLOCKS = "▁▂▃▄▅▆▇█"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Leave(BaseException):
    """A signal says so."""

    def __init__(self, number):
        self.number = number


def leave(number, _):
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # one is enough; the way out is not to be cut short
    raise Leave(number)


# --- one run ---


class Run:
    """One setting: a trainer, and the agent beside it."""

    def __init__(self, parameters, epochs, target, here):
        word = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]
        self.name = f"digits-{word}"
        self.parameters, self.epochs, self.target = parameters, epochs, target
        self.directory = here / "runs" / self.name
        self.history_file = here / "history" / f"{self.name}.json"
        self.log_file = here / f"{self.name}.log"
        self.trainer = self.agent = None
        self.told = self.done = False
        self.status = {}

    def start(self):
        self.directory.mkdir(parents=True)
        self.history_file.parent.mkdir(exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        # What a launcher sets in every container of a job: the agent finds itself in it.
        described = {"JOB_NAME": self.name, "EXPERIMENT_NAME": "digits",
                     "PARAMETER_LR_FLOAT": str(self.parameters["lr"]),
                     "PARAMETER_HIDDEN_INT": str(self.parameters["hidden"])}
        self.agent = subprocess.Popen(
            [AGENT, "--dir", self.directory, "--objective", "val_acc:max", "--interval", "250ms,250ms",
             *self.target.agent_flags()],
            env={**environment, **described}, stderr=self.log_file.open("w"), start_new_session=True)
        self.trainer = subprocess.Popen(
            [sys.executable, ROOT / "demo" / "train.py", "--lr", str(self.parameters["lr"]), "--hidden",
             str(self.parameters["hidden"]), "--epochs", str(self.epochs), "--metrics",
             self.directory / "metrics.jsonl", "--history", self.history_file],
            env=environment, start_new_session=True)

    def step(self):
        """A sidecar gets SIGTERM when the main container has ended."""
        if not self.trainer or self.done:
            return
        if self.trainer.poll() is not None and self.agent.poll() is None and not self.told:
            self.agent.terminate()
            self.told = True
        if self.trainer.poll() is not None and self.agent.poll() is not None:
            self.done = True
            if self.trainer.returncode or self.agent.returncode:
                sys.exit(f"{self.name}: trainer {self.trainer.returncode}, agent {self.agent.returncode}: see "
                         f"{self.log_file}")

    def stop(self):
        for process in (self.trainer, self.agent):
            if process and process.poll() is None:
                process.terminate()
        for process in (self.trainer, self.agent):
            if process:
                process.wait()

    def values(self, metric):
        for column in self.status.get("metrics", []):
            if column["name"] == metric:
                return column["values"]
        return []

    def disagreement(self):
        """What differs between the published curve and the trainer's own numbers, or None."""
        history = json.loads(self.history_file.read_text())
        x = self.status.get("x", [])
        if len(x) != len(history):
            return f"{self.name}: {len(x)} epochs were published, {len(history)} trained"
        for metric in ("train_loss", "val_loss", "val_acc"):
            for epoch, published, own in zip(x, self.values(metric), history):
                # A long history is published with fewer digits: four at least.
                if epoch != own["epoch"] or not math.isclose(published, own[metric], rel_tol=5e-4):
                    return f"{self.name}, epoch {epoch}: {metric} is {published}, the trainer says {own[metric]}"
            latest = self.status["values"][metric]
            if latest != history[-1][metric]:
                return f"{self.name}: latest {metric} is {latest}, the trainer says {history[-1][metric]}"
        return None


# --- where Results go ---


class Files:
    """--to: a directory of manifests."""

    def __init__(self, here):
        self.directory = here / "results"

    def agent_flags(self):
        return ["--to", self.directory]

    def prepare(self, _runs):
        return contextlib.nullcontext()

    def read(self, runs):
        for run in runs:
            with contextlib.suppress(FileNotFoundError):
                run.status = json.loads((self.directory / f"{run.name}.json").read_text())["status"]

    def epilogue(self, best):
        results, metrics, agent = map(os.path.relpath, (self.directory, best.directory / "metrics.jsonl", AGENT))
        print(f"\nThe Results are in {results}/, one manifest a run. Try next:\n"
              f"  python3 -m json.tool {results}/{best.name}.json | less\n"
              f"  {agent} parse {metrics}\n"
              f"  make demo-cluster")


class Cluster:
    """A real API server, and kubectl as a user has it."""

    def __init__(self, here):
        sys.path.insert(0, str(ROOT / "tests"))
        from cluster import objects
        from cluster.apiserver import ApiServer

        self.objects = objects
        self.server = ApiServer(here / "cluster")

    def agent_flags(self):
        return ["--server", self.server.server, "--ca-file", self.server.ca_file, "--token-file",
                self.server.token_file, "--namespace", "default"]

    @contextlib.contextmanager
    def prepare(self, runs):
        print("Starting a Kubernetes API server …", flush=True)
        with self.server:
            experiment = self.objects.experiment(
                "default", "digits", parameters={name: sorted({run.parameters[name] for run in runs})
                                                 for name in ("lr", "hidden")},
                objective={"metric": "val_acc", "goal": "Maximize"})
            self.kubectl_apply(experiment)
            experiment = self.server.api().get(self.objects.path("Experiment", "default", "digits")).body
            for run in runs:
                self.kubectl_apply(self.objects.job("default", run.name, of=experiment, parameters=run.parameters,
                                                    suspend=True))
            yield

    def kubectl_apply(self, body):
        self.server.kubectl("apply", "-f", "-", input=json.dumps(body))

    def read(self, runs):
        reply = self.server.api().get(self.objects.path("Result", "default"))
        if reply.status == 429:  # the storage of a new kind is made at its first use
            return
        for item in reply.body["items"]:
            for run in runs:
                if run.name == item["metadata"]["name"]:
                    run.status = item.get("status", {})

    def epilogue(self, best):
        for command in (["get", "results"], ["get", "result", best.name, "-o", "yaml"]):
            print(f"\n$ kubectl {' '.join(command)}")
            print(self.server.kubectl(*command).stdout, end="")


# --- what is shown ---


class Screen:
    """Redraws in place on a terminal; elsewhere, prints what is new now and then."""

    def __init__(self):
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.is_terminal and not os.environ.get("NO_COLOR")
        self.lines = 0
        self.said = {}

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def show(self, runs):
        if not self.is_terminal:
            self.say_progress(runs)
            return
        width = shutil.get_terminal_size().columns
        lines = [self.heading(width), *(self.line(run, width) for run in runs)]
        # One write a frame, so that it does not flicker.
        frame = (f"\033[{self.lines}A" if self.lines else "") + "".join(f"\033[2K{line}\n" for line in lines)
        sys.stdout.write(frame)
        sys.stdout.flush()
        self.lines = len(lines)

    @staticmethod
    def room_for_curve(width):
        return max(0, min(40, width - 60))

    def heading(self, width):
        return self.paint("2", f"  {'run':<17}{'lr':<7}{'hidden':<8}{'epoch':<8}"
                               f"{'val_loss':<{self.room_for_curve(width)}}{'val_acc':>17}"[:width])

    def line(self, run, width):
        epoch, losses, accuracies = run.status.get("epoch", 0), run.values("val_loss"), run.values("val_acc")
        mark = "✓" if run.done else "▸" if run.trainer else "·"
        left = (f"{mark} {run.name:<17}{run.parameters['lr']:<7}{run.parameters['hidden']:<8}"
                f"{f'{epoch}/{run.epochs}':<8}")
        numbers = f"{losses[-1]:>8.4f} {accuracies[-1]:>8.4f}" if losses and losses[-1] is not None else ""
        return (self.paint("0" if run.trainer else "2", left)
                + self.paint("36", sparkline(losses, self.room_for_curve(width))) + self.paint("1", numbers))

    def say_progress(self, runs):
        for run in runs:
            epoch = run.status.get("epoch", 0)
            if epoch // 10 > self.said.get(run.name, 0):
                self.said[run.name] = epoch // 10
                print(f"{run.name}: {run.status['summary']}", flush=True)


def sparkline(values, width):
    """The values, width of them at most, over the whole of their range; a loss is read on a log scale."""
    values = [math.log(value) for value in values if value]
    if not values or width < 2:
        return " " * width
    step = max(1, math.ceil(len(values) / width))
    values = values[::step]
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(BLOCKS[round((value - low) * scale)] for value in values).ljust(width)


def print_table(runs):
    ranked = sorted(runs, key=lambda run: -run.status["objective"]["value"])
    print(f"\n{'RUN':<17} {'LR':>6} {'HIDDEN':>6}  {'BEST VAL_ACC':>12} {'AT EPOCH':>8}  {'VAL_LOSS':>8}  PHASE")
    for run in ranked:
        objective = run.status["objective"]
        print(f"{run.name:<17} {run.parameters['lr']:>6} {run.parameters['hidden']:>6}  {objective['value']:>12.4f} "
              f"{objective['epoch']:>8}  {run.status['values']['val_loss']:>8.4f}  {run.status['phase']}")
    return ranked[0]


# --- the whole ---


def train_all(runs, target, screen):
    waiting = list(runs)
    while not all(run.done for run in runs):
        active = [run for run in runs if run.trainer and not run.done]
        while waiting and len(active) < AT_ONCE:
            active.append(waiting.pop(0))
            active[-1].start()
        for run in active:
            run.step()
        target.read(runs)
        screen.show(runs)
        time.sleep(FRAME_S)
    target.read(runs)
    screen.show(runs)


def demo(options):
    here = options.directory.resolve()
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir(parents=True)
    target = (Cluster if options.cluster else Files)(here)
    runs = [Run(parameters, options.epochs, target, here) for parameters in SETTINGS[:options.runs]]
    print(f"Training {len(runs)} networks on handwritten digits, {AT_ONCE} at a time. Each writes lines to a file;\n"
          f"the agent beside it publishes its Result, and from there comes what you see (the curve is val_loss).\n",
          flush=True)
    with target.prepare(runs):
        try:
            train_all(runs, target, Screen())
        finally:
            for run in runs:
                run.stop()
        best = print_table(runs)
        wrong = [text for text in map(Run.disagreement, runs) if text]
        if wrong:
            sys.exit("\n".join(wrong))
        print("\nEvery published curve equals what its trainer computed.")
        target.epilogue(best)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", action="store_true", help="publish to a real API server")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--runs", type=int, default=len(SETTINGS))
    parser.add_argument("--directory", type=pathlib.Path, default=HERE, help="emptied, then filled; build/demo else")
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, leave)
    try:
        demo(options)
    except Leave as signalled:
        print(f"\n{signal.strsignal(signalled.number)}: everything that was started has ended.")
        sys.exit(128 + signalled.number)


if __name__ == "__main__":
    main()
