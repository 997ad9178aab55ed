"""Several files of one run: one curve a metric, from the best source; and files written anew."""

import json
import os

import pytest

from harness import append, curve, run

RESULTS = ["epoch,train/loss,metrics/mAP50", "1,1.23456,0.11111", "2,1.12345,0.22222", "3,1.01234,0.33333"]
STDOUT = ["Epoch 0: train_loss=1.23 mAP=0.1 lr=0.01", "Epoch 1: train_loss=1.12 mAP=0.2 lr=0.02",
          "Epoch 2: train_loss=1.01 mAP=0.3 lr=0.03"]
STATE = {"epoch": 3, "train_loss": 9.0, "total_flos": 7.0}


def assert_one_curve_each(status):
    assert curve(status, "train/loss") == {1: 1.23456, 2: 1.12345, 3: 1.01234}
    assert curve(status, "metrics/mAP50") == {1: 0.11111, 2: 0.22222, 3: 0.33333}
    assert curve(status, "lr") == {1: 0.01, 2: 0.02, 3: 0.03}  # counts from 0: moved to the CSV's
    names = [column["name"] for column in status["metrics"]]
    assert "train_loss" not in names and set(status["values"]) == set(names)


def test_one_run_in_three_files(start, tmp_path):
    (tmp_path / "experiments").mkdir()
    append(tmp_path / "experiments" / "results.csv", *RESULTS)
    append(tmp_path / "experiments" / "stdout.log", *STDOUT)
    (tmp_path / "experiments" / "all_results.json").write_text(json.dumps(STATE, indent=4))
    agent = start()
    agent.wait_for_accepted(6)
    status = agent.stop()
    assert_one_curve_each(status)
    assert any("results.csv, also in stdout.log" in note for note in status["agent"]["notes"])
    assert any(note.startswith("x: epochs of results.csv") for note in status["agent"]["notes"])


def test_a_better_source_comes_later(start):
    agent = start()
    append(agent.dir / "stdout.log", *STDOUT)
    status = agent.wait_for_accepted(3)
    assert curve(status, "train_loss") == {0: 1.23, 1: 1.12, 2: 1.01}
    append(agent.dir / "results.csv", *RESULTS)
    agent.wait_for_accepted(6)
    assert_one_curve_each(agent.stop())


def test_a_directory_in_one_table(tmp_path):
    append(tmp_path / "results.csv", *RESULTS)
    (tmp_path / "logs").mkdir()
    append(tmp_path / "logs" / "stdout.log", *STDOUT)
    (tmp_path / "notes.md").write_text("Nothing to see here.\n")
    done = run("parse", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["train/loss"].endswith("  results.csv")
    assert lines["lr"].endswith("  logs/stdout.log")
    assert "train_loss" not in lines
    why = run("parse", "--why", tmp_path)
    assert why.returncode == 0
    assert f"{tmp_path}/notes.md: no metrics were found in it" in why.stdout.splitlines()


def test_a_directory_without_metrics(tmp_path):
    (tmp_path / "notes.md").write_text("Nothing to see here.\n")
    done = run("parse", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no metrics were found in 1 file" in done.stderr


def test_a_filter_says_how_text_is_read(start):
    katib = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
    agent = start("--filter", katib)
    append(agent.dir / "log.txt", "whatever: Validation-accuracy = 0.5, x=none", "whatever: Validation-accuracy = 0.75")
    agent.wait_for_accepted(2)
    assert list(curve(agent.stop(), "Validation-accuracy").values()) == [0.5, 0.75]


# --- files that are written anew ---


def rewrite_in_place(path, text):
    """As stable-baselines3 does: from the start, without truncating before."""
    with open(path, "r+") as file:
        file.write(text)


def truncate_and_rewrite(path, text):
    """As Lightning does."""
    path.write_text(text)


def replace(path, text):
    new = path.with_name("." + path.name + ".new")
    new.write_text(text)
    os.replace(new, path)


@pytest.mark.parametrize("write", [rewrite_in_place, truncate_and_rewrite, replace])
def test_a_csv_that_gains_a_column_counts_once(write, start):
    agent = start()
    file = agent.dir / "progress.csv"
    append(file, "epoch,loss", "1,0.5", "2,nan")
    agent.wait_for_accepted(2)
    write(file, "epoch,loss,acc\n1,0.5,\n2,nan,\n3,0.25,0.9\n")
    status = agent.wait_for(lambda status: status["epoch"] == 3)
    append(file, "4,0.125,0.95")
    agent.wait_for(lambda status: status["epoch"] == 4)
    status = agent.stop()
    assert curve(status, "loss") == {1: 0.5, 2: None, 3: 0.25, 4: 0.125}
    assert curve(status, "acc") == {1: None, 2: None, 3: 0.9, 4: 0.95}
    assert (status["agent"]["accepted"], status["agent"]["rejected"]) == (4, 0)
    assert status["nonFinite"] == {"loss": 1}


def trainer_state(n):
    history = [{"epoch": i / 2, "loss": float("nan") if i == 2 else 10.0 / i, "step": 10 * i} for i in range(1, n + 1)]
    return json.dumps({"epoch": n / 2, "global_step": 10 * n, "log_history": history, "max_steps": 100}, indent=2)


@pytest.mark.parametrize("write", [truncate_and_rewrite, replace])
def test_a_document_that_is_rewritten_counts_once(write, start):
    agent = start()
    file = agent.dir / "trainer_state.json"
    for n in (2, 5, 9):
        write(file, trainer_state(n))
        agent.wait_for(lambda status: status.get("epoch") == n / 2)
    status = agent.stop()
    assert curve(status, "loss") == {i / 2: None if i == 2 else 10.0 / i for i in range(1, 10)}
    assert status["agent"]["rejected"] == 0
    assert status["nonFinite"] == {"loss": 1}


def test_a_document_with_a_rest_behind_it_is_read_again(start):
    """A shorter version was written over a longer one, without cutting it."""
    agent = start()
    file = agent.dir / "trainer_state.json"
    file.write_text(trainer_state(3) + "\n;\nend\nof it\nand more\n")
    agent.wait_for(lambda status: status.get("epoch") == 1.5)
    with open(file, "r+") as same:
        same.write(trainer_state(5))
    agent.wait_for(lambda status: status.get("epoch") == 2.5)
    assert agent.stop()["agent"]["rejected"] == 1


def test_a_log_behind_settings_grows(start):
    """The file is a document at first, and text from then on."""
    agent = start()
    file = agent.dir / "stdout.log"
    file.write_text('{\n  "lr": 0.1,\n  "hidden": [64, 64]\n}\n')
    append(agent.dir / "other.jsonl", {"epoch": 1, "other": 1})
    agent.wait_for_accepted(1)
    for n in range(1, 4):
        with open(file, "a") as log:
            log.write(f"Epoch {n} loss: {1 / n:.4f}\n")
        agent.wait_for(lambda status: "loss" in status["values"] and curve(status, "loss").get(n) is not None)
    assert curve(agent.stop(), "loss") == {1: 1.0, 2: 0.5, 3: 0.3333}


def test_half_a_document_says_nothing(start):
    agent = start()
    file = agent.dir / "trainer_state.json"
    text = trainer_state(4)
    file.write_text(text[:len(text) // 2])
    append(agent.dir / "other.jsonl", {"epoch": 1, "other": 1})
    status = agent.wait_for_accepted(1)
    assert set(status["values"]) == {"other"}
    file.write_text(text)
    status = agent.wait_for(lambda status: "loss" in status["values"])
    assert curve(status, "loss")[2.0] == 2.5
