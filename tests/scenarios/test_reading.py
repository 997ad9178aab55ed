"""How lines become records, however their bytes arrive. Numbers are those of docs/guarantees.md."""

import json
import os
import signal
import subprocess

import pytest

from agent.harness import append, curve

from scenarios.oracle import Oracle
from scenarios.tools import finish, kill, pause, resume

PAGE = 4096


@pytest.mark.parametrize("restart", [None, "SIGTERM", "SIGKILL"])
def test_04_half_a_line_a_pause_then_its_newline(start, oracle, restart):
    """In the pause the agent looks, or is even another process afterwards."""
    agent = start()
    file = agent.dir / "metrics.jsonl"
    oracle.write(file, 2)
    block = oracle.block(1)
    with open(file, "ab", buffering=0) as writer:
        writer.write(block[:20])
        oracle.n -= 1
        oracle.check(oracle.settle(agent))
        if restart:
            # At SIGTERM what is there is taken for whole; half a record is a reject then.
            agent.process.send_signal(signal.Signals[restart])
            agent.process.wait()
            agent = start()
        oracle.n += 1
        writer.write(block[20:-1])
        writer.write(block[-1:])
    oracle.write(file, 1)
    status = oracle.settle(agent)
    oracle.check(status, rejected=status["agent"].get("rejected", 0) if restart == "SIGTERM" else 0)
    oracle.check(agent.stop(), rejected=status["agent"].get("rejected", 0))
    assert status["agent"].get("rejected", 0) <= 1


@pytest.mark.parametrize("n", [1, 7, 12])
def test_04_a_file_begins_with_a_part_of_a_line(start, oracle, n):
    """What the file is cannot be told yet."""
    agent = start()
    block = oracle.block(2)
    with open(agent.dir / "metrics.jsonl", "ab", buffering=0) as writer:
        for i in [0, *range(n, len(block), 25)]:
            writer.write(block[i:n if i == 0 else i + 25])
            oracle.mark(agent.dir)
            agent.wait_for(lambda status: status.get("values", {}).get("test_loss") == oracle.marks)
    oracle.write(agent.dir / "metrics.jsonl", 2)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


def test_05_a_write_that_is_cut_at_a_page(start, oracle):
    """A reader may see a write(2) up to the end of any page of it."""
    agent = start()
    file = agent.dir / "metrics.jsonl"
    size = 0
    with open(file, "ab", buffering=0) as writer:
        for _ in range(6):
            (line,) = oracle.lines(1)
            block = json.dumps({**json.loads(line), "note": "n" * 9000}).encode() + b"\n"
            while block:
                n = PAGE - size % PAGE
                size += writer.write(block[:n])
                block = block[n:]
                if block:  # and it is looked at there
                    oracle.n -= 1
                    oracle.check(oracle.settle(agent)) if oracle.n else oracle.settle(agent)
                    oracle.n += 1
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


def test_05_lines_are_never_split_while_a_writer_is_at_it(start, oracle):
    """40,000 lines in writes of 100 that end anywhere in a page, read as they come."""
    agent = start()
    file = agent.dir / "metrics.jsonl"
    with open(file, "ab", buffering=0) as writer:
        for _ in range(400):
            writer.write(oracle.block(100))
    oracle.check(agent.stop())


def test_06_the_final_line_without_a_newline(start, oracle):
    """Once, at the end, and not again by an agent that comes after, also when the newline does."""
    agent = start()
    file = agent.dir / "metrics.jsonl"
    with open(file, "ab") as writer:
        writer.write(oracle.block(4)[:-1])
    oracle.mark(agent.dir)
    agent.wait_for(lambda status: status.get("values", {}).get("test_loss") == 1)
    oracle.check(agent.stop())
    oracle.check(finish(start()))
    with open(file, "ab") as writer:
        writer.write(b"\n" + oracle.block(1))
    agent = start()
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


@pytest.mark.parametrize("restart", [False, True])
def test_07_a_backlog_at_sigterm_is_drained(start, oracle, restart):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    oracle.write(file, 3)
    oracle.check(oracle.settle(agent))
    if restart:
        agent.stop()
        agent = start()
        agent.wait_for_report()
    pause(agent.process)
    with open(file, "ab") as writer:
        for _ in range(100):
            writer.write(oracle.block(2000))  # 13 MB
    agent.process.terminate()
    resume(agent.process)
    oracle.check(agent.stop())


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGKILL])
def test_07_a_backlog_that_is_not_drained_is_gone_on_with(start, oracle, second):
    """A second signal, or the end of the grace period, ends the agent in the middle of it."""
    agent = start()
    file = agent.dir / "metrics.jsonl"
    oracle.write(file, 3)
    oracle.check(oracle.settle(agent))
    pause(agent.process)
    with open(file, "ab") as writer:
        for _ in range(50):
            writer.write(oracle.block(2000))
    agent.process.terminate()
    if second != signal.SIGKILL:
        agent.process.send_signal(second)  # both are there when it wakes up
    resume(agent.process)
    if second == signal.SIGKILL:
        agent.wait_for_log("reading what is left")
        agent.process.kill()
    agent.process.wait()
    oracle.check(finish(start()))


def test_08_the_writer_ends_just_before_sigterm(start, oracle):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    oracle.write(file, 3)
    oracle.check(oracle.settle(agent))
    pause(agent.process)  # it cannot have seen the line before the signal
    subprocess.run(["sh", "-c", 'cat >>"$0"', file], input=oracle.block(1)[:-1], check=True)
    agent.process.terminate()
    resume(agent.process)
    oracle.check(agent.stop())


@pytest.mark.parametrize("at_once", [True, False])
def test_29_a_line_over_the_limit(start, oracle, at_once):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    oracle.write(file, 2)
    long = b'{"epoch": 1, "note": "' + b"x" * (3 << 20) + b'", "loss": 7}\n'
    with open(file, "ab", buffering=0) as writer:
        for i in range(0, len(long), len(long) if at_once else 700_000):
            writer.write(long[i:i + (len(long) if at_once else 700_000)])
            if not at_once:
                oracle.settle(agent)
    oracle.write(file, 2)
    oracle.check(oracle.settle(agent), rejected=1)
    oracle.check(agent.stop(), rejected=1)
    assert "metrics.jsonl:3:" in agent.log.read_text()


@pytest.mark.parametrize("restart", [False, True])
def test_30_invalid_json_and_invalid_utf8(start, oracle, restart):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    bad = [b'{"epoch": 3, "loss": }', b'{"epoch": 3', b'{"epoch": 3, "lo\xff\xfess": 1', b'\xf0\x28\x8c\x28']
    with open(file, "ab", buffering=0) as writer:
        for line in bad:
            writer.write(oracle.block(1) + line + b"\n")
        oracle.check(oracle.settle(agent), rejected=len(bad))
        if restart:
            kill(agent)
            agent = start()
        writer.write(oracle.block(3) + bad[0] + b"\n" + oracle.block(1))
    oracle.check(oracle.settle(agent), rejected=len(bad) + 1)
    oracle.check(agent.stop(), rejected=len(bad) + 1)
    assert "metrics.jsonl:2:" in agent.log.read_text()


# --- 48: files that are written anew as a whole ---


def rewrite(file, content, steps, halfway):
    """In place, as these trainers do: cut to nothing, then written in pieces that end anywhere."""
    with open(file, "wb", buffering=0) as writer:
        halfway()
        for i in range(0, len(content), steps):
            writer.write(content[i:i + steps])
            halfway()


def rows_of(status, name):
    if name not in status["values"]:
        return {}
    return {x: y for x, y in curve(status, name).items() if y is not None}


def test_48_lightnings_csv_gets_another_column(start, oracle):
    """CSVLogger writes the whole file anew when a metric comes that its header lacks."""
    agent = start()
    file = agent.dir / "metrics.csv"
    seen = []

    def halfway():
        seen.append(rows_of(oracle.settle(agent), "loss"))

    rewrite(file, "".join(["epoch,loss\n", *(f"{n},{n}.25\n" for n in range(1, 8))]).encode(), 10, halfway)
    final = "".join(["epoch,loss,val\n", *(f"{n},{n}.25,{n}.5\n" for n in range(1, 10))]).encode()
    rewrite(file, final, 10, halfway)
    status = oracle.settle(agent)
    for rows in seen:
        assert all(y == x + 0.25 for x, y in rows.items())
    assert rows_of(status, "loss") == {n: n + 0.25 for n in range(1, 10)}
    assert rows_of(status, "val") == {n: n + 0.5 for n in range(1, 10)}
    assert status["agent"].get("rejected", 0) == 0
    assert agent.stop()["values"]["val"] == 9.5


def test_48_stable_baselines_progress_csv(start):
    """CSVOutputFormat seeks to the start and writes its old lines, longer now, over themselves."""
    agent, oracle = start(), Oracle(mark_x="step")
    file = agent.dir / "progress.csv"
    with open(file, "w+b", buffering=0) as writer:
        writer.write(b"time/total_timesteps,rollout/ep_rew_mean\n10,1.25\n20,2.25\n")
        oracle.settle(agent)
        writer.seek(0)
        text = b"time/total_timesteps,rollout/ep_rew_mean,train/loss\n10,1.25,\n20,2.25,\n30,3.25,0.5\n"
        for i in range(0, len(text), 7):
            writer.write(text[i:i + 7])
            status = oracle.settle(agent)
            rewards = rows_of(status, "rollout/ep_rew_mean")
            assert all(y in (1.25, 2.25, 3.25) for y in rewards.values())
        writer.write(b"40,4.25,0.25\n")
    status = oracle.settle(agent)
    assert list(rows_of(status, "rollout/ep_rew_mean").values()) == [1.25, 2.25, 3.25, 4.25]
    assert list(rows_of(status, "train/loss").values()) == [0.5, 0.25]
    assert agent.stop()["values"]["rollout/ep_rew_mean"] == 4.25


def test_48_a_ring_of_a_hundred_lines(start):
    """hypertune keeps the last 100 reports and writes all of them each time."""
    agent, oracle = start(), Oracle(mark_x="step")
    file = agent.dir / "output.metrics"

    def line(n):
        return json.dumps({"timestamp": 1700000000 + n, "trial": "0", "accuracy": str(n / 1024), "global_step": str(n)})

    for n in range(1, 131):
        ring = [line(i) for i in range(max(1, n - 99), n + 1)]
        file.write_text("\n".join(ring) + "\n")
        if n in (1, 50, 99, 100, 101, 115):
            status = oracle.settle(agent)
            assert all(y == x / 1024 for x, y in rows_of(status, "accuracy").items())
    status = agent.stop()
    rows = rows_of(status, "accuracy")
    assert all(y == x / 1024 for x, y in rows.items())
    assert {x: y for x, y in rows.items() if x > 30} == {n: n / 1024 for n in range(31, 131)}
    assert status["values"]["accuracy"] == 130 / 1024
    assert status["agent"].get("rejected", 0) == 0


def trainer_state(epochs):
    history = [{"epoch": n, "step": 10 * n, "loss": n + 0.25} for n in range(1, epochs + 1)]
    return json.dumps({"epoch": epochs, "global_step": 10 * epochs, "log_history": history}, indent=2).encode()


@pytest.mark.parametrize("restart", [False, True])
def test_48_trainer_state_json(start, oracle, restart):
    agent = start()
    file = agent.dir / "trainer_state.json"
    for epochs in range(2, 6):
        def halfway():
            status = oracle.settle(agent)
            if epochs > 2:  # what was said stays; nothing of the half is
                rows = rows_of(status, "loss")
                assert {n: n + 0.25 for n in range(1, epochs)}.items() <= rows.items()
                assert all(y == x + 0.25 for x, y in rows.items())

        content = trainer_state(epochs)
        rewrite(file, content, len(content) // 3, halfway)
        whole = {n: n + 0.25 for n in range(1, epochs + 1)}
        agent.wait_for(lambda status: rows_of(status, "loss") == whole)
        if restart:
            kill(agent)
            agent = start()
            agent.wait_for_report()
    status = agent.stop()
    assert rows_of(status, "loss") == {n: n + 0.25 for n in range(1, 6)}
    assert status["agent"]["accepted"] == 5 + oracle.marks
    assert status["agent"].get("rejected", 0) == 0


def test_48_a_half_that_stays_is_said_and_nothing_of_it_counts(start, oracle):
    """The trainer died in the middle of writing: the Result has what was there before."""
    agent = start()
    file = agent.dir / "trainer_state.json"
    file.write_bytes(trainer_state(3))
    agent.wait_for(lambda status: status.get("epoch") == 3)
    file.write_bytes(trainer_state(4)[:-40])
    oracle.settle(agent)
    status = agent.stop()
    assert rows_of(status, "loss") == {n: n + 0.25 for n in range(1, 4)}
    assert status["values"]["loss"] == 3.25
