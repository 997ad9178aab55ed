"""From a metrics file to a Result on disk, with the real agent."""

import json
import os

import pytest

from harness import append, curve

VERBOSE = {"EXPERIMENTS_VERBOSE": "1"}


def test_lines_that_are_appended_become_a_curve(start):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    append(file, {"epoch": 1, "loss": 0.5, "acc": 0.25})
    agent.wait_for_accepted(1)
    append(file, {"epoch": 2, "loss": 0.25, "acc": 0.5})
    status = agent.wait_for_accepted(2)
    assert status["phase"] == "Running"
    assert status["axis"] == "epoch"
    assert curve(status, "loss") == {1: 0.5, 2: 0.25}
    assert curve(status, "acc") == {1: 0.25, 2: 0.5}
    assert status["values"] == {"loss": 0.25, "acc": 0.5}
    assert status["summary"] == "epoch 2 loss=0.25 acc=0.5"
    assert status["epoch"] == 2


def test_before_a_file_comes_the_condition_says_so(start):
    agent = start()
    status = agent.wait_for(lambda status: True)
    assert status["phase"] == "Pending"
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Reporting", "False", "NoMetricsFile")


def test_a_file_of_no_known_format_is_said_to_be(start):
    agent = start()
    (agent.dir / "notes.txt").write_text("Nothing to see here.\nReally, nothing.\n")
    status = agent.wait_for(lambda status: status["conditions"][0]["reason"] == "NothingRecognized")
    assert status["conditions"][0]["status"] == "False"


def test_what_was_there_before_the_start_counts(start, tmp_path):
    (tmp_path / "experiments").mkdir()
    append(tmp_path / "experiments" / "log.csv", "epoch,loss", "1,0.5", "2,0.25")
    status = start().wait_for_accepted(2)
    assert curve(status, "loss") == {1: 0.5, 2: 0.25}


def test_a_directory_that_comes_late_is_followed(start):
    agent = start(follow=False)
    agent.wait_for(lambda status: True)
    (agent.dir / "run" / "deep").mkdir(parents=True)
    append(agent.dir / "run" / "deep" / "metrics.jsonl", {"epoch": 1, "loss": 0.5})
    assert curve(agent.wait_for_accepted(1), "loss") == {1: 0.5}


def test_half_a_line_waits_for_its_rest(start):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    append(file, {"epoch": 1, "loss": 1})
    with open(file, "a") as half:
        half.write('{"epoch": 2, "lo')
        half.flush()
        append(agent.dir / "other.jsonl", {"epoch": 1, "other": 1})
        agent.wait_for_accepted(2)
        half.write('ss": 0.5}\n')
    status = agent.wait_for_accepted(3)
    assert curve(status, "loss") == {1: 1, 2: 0.5}
    assert status["agent"]["rejected"] == 0


def test_the_last_line_needs_no_newline(start):
    agent = start()
    (agent.dir / "metrics.jsonl").write_text('{"epoch": 1, "loss": 1}\n{"epoch": 2, "loss": 0.5}')
    agent.wait_for_accepted(1)
    status = agent.stop()
    assert curve(status, "loss") == {1: 1, 2: 0.5}
    assert status["agent"]["rejected"] == 0


def test_what_is_written_just_before_the_end_counts(start):
    agent = start()
    agent.wait_for(lambda status: True)
    append(agent.dir / "metrics.jsonl", *({"epoch": epoch, "loss": epoch} for epoch in range(1, 501)))
    status = agent.stop()
    assert status["agent"]["accepted"] == 500
    assert status["values"] == {"loss": 500}
    assert status["completionTime"]


def test_a_file_that_is_replaced_is_read_from_its_start(start):
    agent = start()
    file = agent.dir / "metrics.csv"
    append(file, "epoch,loss", "1,3", "2,2")
    agent.wait_for_accepted(2)
    new = agent.dir / ".metrics.csv.new"
    append(new, "epoch,loss,acc", "1,30,0.1", "2,20,0.2", "3,10,0.3")
    os.replace(new, file)
    status = agent.wait_for(lambda status: status["epoch"] == 3)
    assert curve(status, "loss") == {1: 30, 2: 20, 3: 10}
    assert curve(status, "acc") == {1: 0.1, 2: 0.2, 3: 0.3}


def test_a_file_that_is_truncated_is_read_from_its_start(start):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    append(file, {"epoch": 1, "loss": 1.25}, {"epoch": 2, "loss": 2.25})
    agent.wait_for_accepted(2)
    with open(file, "w") as short:
        short.write('{"epoch": 3, "loss": 3}\n')
    status = agent.wait_for_accepted(3)
    assert curve(status, "loss") == {1: 1.25, 2: 2.25, 3: 3}


def test_a_file_that_is_rotated_goes_on_under_its_new_name(start):
    agent = start()
    file, old = agent.dir / "metrics.jsonl", agent.dir / "metrics.jsonl.1"
    append(file, {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    file.rename(old)
    append(old, {"epoch": 2, "loss": 2})
    append(file, {"epoch": 3, "loss": 3})
    status = agent.wait_for_accepted(3)
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 3}
    assert agent.stop()["agent"]["accepted"] == 3


@pytest.mark.parametrize("deep", ["", "deep"])
def test_a_directory_that_is_renamed_is_followed_on(start, deep):
    """The kernel's watch is the directory's, and goes with it: what it tells of is under the new name."""
    agent = start(env=VERBOSE)
    old, new = agent.dir / "old" / deep, agent.dir / "new" / deep
    old.mkdir(parents=True)
    append(old / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    (agent.dir / "old").rename(agent.dir / "new")
    agent.wait_for_log(f"is now {new}/metrics.jsonl")
    append(new / "metrics.jsonl", {"epoch": 2, "loss": 2})
    agent.wait_for_accepted(2)
    append(new / "more.jsonl", {"epoch": 1, "acc": 1})
    agent.wait_for_accepted(3)


def test_a_directory_by_two_names(start, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    agent = start("--metrics", f"{real}/a.jsonl", "--metrics", f"{tmp_path}/link/b.jsonl")
    for epoch in (1, 2, 3):
        append(real / "a.jsonl", {"epoch": epoch, "a": epoch})
        agent.wait_for_accepted(2 * epoch - 1)
        append(real / "b.jsonl", {"epoch": epoch, "b": epoch})
        agent.wait_for_accepted(2 * epoch)


def test_a_directory_above_is_renamed_and_made_anew(start, tmp_path):
    """Nothing happens in any directory that is watched for files."""
    place = tmp_path / "runs" / "deep" / "metrics.jsonl"
    place.parent.mkdir(parents=True)
    agent = start("--metrics", place)
    append(place, {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    (tmp_path / "runs").rename(tmp_path / "old")
    place.parent.mkdir(parents=True)
    append(place, {"epoch": 2, "loss": 2})
    assert curve(agent.wait_for_accepted(2), "loss") == {1: 1, 2: 2}


def test_the_directory_is_a_link_that_is_swapped(start, tmp_path):
    """As latest is, often; the last run's files are deleted before."""
    runs = [tmp_path / "run-1", tmp_path / "run-2"]
    for run in runs:
        run.mkdir()
    (tmp_path / "experiments").symlink_to(runs[0])
    append(runs[0] / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent = start(follow=False)
    agent.wait_for_accepted(1)
    (runs[0] / "metrics.jsonl").unlink()
    append(runs[0] / "last.jsonl", {"epoch": 2, "loss": 2})
    agent.wait_for_accepted(2)
    append(runs[1] / "metrics.jsonl", {"epoch": 3, "loss": 3})
    (tmp_path / "link").symlink_to(runs[1])
    (tmp_path / "link").rename(tmp_path / "experiments")
    assert curve(agent.wait_for_accepted(3), "loss") == {1: 1, 2: 2, 3: 3}


def test_a_copy_beside_a_named_file_is_followed_once(start, tmp_path):
    """It is in no place, so it is not known by its path."""
    file, copy = tmp_path / "metrics.jsonl", tmp_path / "metrics.jsonl.2"
    agent = start("--metrics", file)
    append(file, *({"epoch": epoch, "loss": epoch} for epoch in range(1, 5)))
    agent.wait_for_accepted(4)
    copy.write_bytes(file.read_bytes())
    file.rename(tmp_path / "metrics.jsonl.1")
    append(file, {"epoch": 5, "loss": 5})
    agent.wait_for_accepted(5)
    for epoch in (6, 7, 8):
        append(copy, {"epoch": epoch, "loss": epoch})
        agent.wait_for_accepted(epoch)
    assert agent.stop()["agent"]["accepted"] == 8


def kill(agent):
    agent.process.kill()
    agent.process.wait()


def lines(first, last):
    return ({"epoch": epoch, "loss": epoch} for epoch in range(first, last + 1))


def test_names_that_changed_while_no_agent_was_running(start):
    """A file is known by what it is, under whatever name it is found."""
    agent = start()
    a, b, c = (agent.dir / f"{name}.jsonl" for name in "abc")
    append(a, *lines(1, 10))
    append(b, *lines(11, 20))
    append(c, *lines(21, 30))
    agent.wait_for_accepted(30)
    kill(agent)
    a.rename(agent.dir / "swap")
    b.rename(a)
    (agent.dir / "swap").rename(b)
    (agent.dir / "done").mkdir()
    c.rename(agent.dir / "done" / "another.jsonl")
    append(a, {"epoch": 31, "loss": 31})
    append(b, {"epoch": 32, "loss": 32})
    append(agent.dir / "done" / "another.jsonl", {"epoch": 33, "loss": 33})
    append(c, {"epoch": 34, "loss": 34})
    agent = start()
    agent.wait_for_accepted(34)
    status = agent.stop()
    assert status["agent"]["accepted"] == 34
    assert status["agent"]["lostBytes"] == 0
    assert curve(status, "loss")[34] == 34


def test_generations_that_were_renamed_in_no_order_of_time(start):
    """The times say that the newest name is the oldest file: each is known by what it is."""
    agent = start()
    new, old, oldest = agent.dir / "m.jsonl", agent.dir / "m.jsonl.1", agent.dir / "m.jsonl.2"
    append(old, *lines(1, 10))
    append(new, *lines(11, 20))
    agent.wait_for_accepted(20)
    kill(agent)
    old.rename(oldest)
    new.rename(old)
    append(new, {"epoch": 21, "loss": 21})
    for time, file in enumerate((new, old, oldest)):
        os.utime(file, (time, time))
    agent = start()
    agent.wait_for_accepted(21)
    assert agent.stop()["agent"]["accepted"] == 21


def test_a_globs_directories_may_come_to_be_more(start, tmp_path):
    """Also when there was one already, and when the file comes later than its directory."""
    (tmp_path / "runs" / "a" / "out").mkdir(parents=True)
    agent = start("--metrics", f"{tmp_path}/runs/*/out/*.jsonl")
    append(tmp_path / "runs" / "a" / "out" / "m.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    (tmp_path / "runs" / "b").mkdir()
    append(tmp_path / "runs" / "a" / "out" / "m.jsonl", {"epoch": 2, "loss": 2})
    agent.wait_for_accepted(2)
    (tmp_path / "runs" / "b" / "out").mkdir()
    append(tmp_path / "runs" / "a" / "out" / "m.jsonl", {"epoch": 3, "loss": 3})
    agent.wait_for_accepted(3)
    append(tmp_path / "runs" / "b" / "out" / "m.jsonl", {"epoch": 4, "loss": 4})
    agent.wait_for_accepted(4)


def test_a_file_that_a_glob_finds_empty(start, tmp_path):
    (tmp_path / "runs").mkdir()
    agent = start("--metrics", f"{tmp_path}/runs/*.jsonl", "--metrics", tmp_path / "other.jsonl")
    (tmp_path / "runs" / "m.jsonl").touch()
    append(tmp_path / "other.jsonl", {"epoch": 1, "other": 1})
    agent.wait_for_accepted(1)
    append(tmp_path / "runs" / "m.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(2)


def test_named_files_globs_and_formats(start, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    agent = start("--metrics", f"{elsewhere}/a.log:jsonl", "--metrics", f"{elsewhere}/*.csv")
    append(agent.dir / "ignored.jsonl", {"epoch": 9, "ignored": 1})
    append(elsewhere / "a.log", {"epoch": 1, "loss": 1})
    append(elsewhere / "b.csv", "epoch,acc", "1,0.5")
    append(elsewhere / "c.jsonl", {"epoch": 9, "ignored": 1})
    status = agent.wait_for_accepted(2)
    assert status["values"] == {"loss": 1, "acc": 0.5}


def test_without_inotify_files_are_polled(start):
    """No inotify instance is to be had: everything works on, within a second."""
    agent = start(env={"EXPERIMENTS_VERBOSE": "1"}, limit_inotify=True)
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    append(agent.dir / "metrics.jsonl", {"epoch": 2, "loss": 0.5})
    assert curve(agent.wait_for_accepted(2), "loss") == {1: 1, 2: 0.5}
    assert "looking once a second" in agent.log.read_text()


def test_it_never_reads_its_own(start, tmp_path):
    """The manifests are under the followed directory, and JSON: they must not become metrics."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "experiments" / "own")
    (tmp_path / "experiments" / "own").mkdir()
    agent = start()
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    status = agent.stop()
    assert status["values"] == {"loss": 1}
    assert status["agent"]["accepted"] == 1


def test_the_trainers_last_word_and_where_its_output_is(start):
    agent = start()
    append(
        agent.dir / "metrics.jsonl",
        {"epoch": 1, "loss": 1, "total_epochs": 2, "output_path": "/mnt/out/a", "checkpoint": "/mnt/out/a/1.pt"},
        {"epoch": 2, "loss": 0.5},
        {"end": True},
    )
    agent.wait_for_accepted(3)
    status = agent.stop()
    assert status["phase"] == "Succeeded"
    assert status["summary"] == "epoch 2/2 loss=0.5"
    assert status["outputPath"] == "/mnt/out/a"
    assert status["checkpoint"] == {"path": "/mnt/out/a/1.pt", "epoch": 1}
    assert status["totalEpochs"] == 2


def test_an_end_that_nobody_explains_is_an_interruption(start):
    agent = start()
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    assert agent.stop()["phase"] == "Interrupted"


def test_the_manifest_is_replaced_as_a_whole(start):
    """No reader ever sees half a file, and no other file stays behind."""
    agent = start()
    for epoch in range(1, 50):
        append(agent.dir / "metrics.jsonl", {"epoch": epoch, "loss": epoch})
        agent.wait_for_accepted(epoch)  # parses the file each time
    agent.stop()
    assert [path.name for path in agent.to.iterdir()] == ["job-1.json"]


@pytest.mark.parametrize("epochs, metrics", [(1000, 8), (100000, 4), (300, 32)])
def test_the_manifest_stays_within_its_budget(start, epochs, metrics):
    agent = start("--objective", "metric3:min")
    lines = (
        {"epoch": epoch, **{f"metric{i}": (epoch * 7919 + i) % 1000 / 997 for i in range(metrics)}}
        for epoch in range(1, epochs + 1)
    )
    append(agent.dir / "metrics.jsonl", *lines)
    agent.wait_for_accepted(1)
    agent.stop()
    text = (agent.to / "job-1.json").read_text()
    status = json.loads(text)["status"]
    assert len(text) <= 10240
    assert len(text) > 6000  # and makes use of it
    assert status["x"][0] == 1 and status["x"][-1] == epochs
    assert status["objective"]["epoch"] in status["x"]
    assert status["values"]["metric0"] == (epochs * 7919) % 1000 / 997


def test_each_record_of_a_long_file_counts_once_across_a_kill(start):
    """In every size of what is kept in mind of them: 64 records at first, and after a kill those behind what was
    replayed."""
    agent = start()
    file = agent.dir / "metrics.jsonl"
    append(file, *({"epoch": epoch, "loss": epoch / 4} for epoch in range(1, 201)))
    agent.wait_for_accepted(200)
    agent.process.kill()
    agent.process.wait()
    append(file, *({"epoch": epoch, "loss": epoch / 4} for epoch in range(201, 1001)))
    again = start()
    status = again.wait_for(lambda status: status["agent"]["accepted"] >= 1000)
    assert status["agent"]["accepted"] == 1000
    assert status["epoch"] == 1000
