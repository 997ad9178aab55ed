"""When there is no curve, the Result says why, and what would help."""

from harness import append, curve, reason


def message(status):
    return status["conditions"][0]["message"]


def test_no_file(start):
    agent = start()
    status = agent.wait_for(lambda status: reason(status) == "NoMetricsFile")
    assert status["conditions"][0]["status"] == "False"
    assert f'write lines like {{"epoch": 1, "loss": 0.5}} to a file in {agent.dir}' in message(status)


def test_nothing_in_the_files_names_the_newest(start):
    agent = start()
    for i in range(5):
        (agent.dir / f"notes{i}.txt").write_text("Nothing to see here.\nReally, nothing.\n")
    status = agent.wait_for(lambda status: reason(status) == "NothingRecognized" and "5 files" in message(status))
    assert f"{agent.dir}/notes4.txt" in message(status)
    assert "write lines like" in message(status)
    assert status["phase"] == "Pending"
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 0.5})
    status = agent.wait_for(lambda status: reason(status) == "Reporting")
    assert status["conditions"][0]["status"] == "True"


def test_only_values_that_are_not_finite(start):
    agent = start()
    append(agent.dir / "metrics.jsonl", '{"epoch": 1, "loss": NaN}', '{"epoch": 2, "loss": NaN}')
    status = agent.wait_for(lambda status: reason(status) == "OnlyNonFinite")
    assert status["conditions"][0]["status"] == "False"
    assert (status["phase"], status["nonFinite"]) == ("Running", {"loss": 2})
    append(agent.dir / "metrics.jsonl", {"epoch": 3, "loss": 0.5})
    status = agent.wait_for(lambda status: reason(status) == "Reporting")
    assert status["conditions"][0]["status"] == "True"


def test_a_file_that_may_not_be_read_until_it_may(start):
    agent = start(privileged=False)
    file = agent.dir / "metrics.jsonl"
    file.touch(mode=0)
    status = agent.wait_for(lambda status: reason(status) == "PermissionDenied")
    assert f"{file}: Permission denied" in message(status)
    append(agent.dir / "other.jsonl", {"epoch": 1, "loss": 0.5})
    agent.wait_for(lambda status: reason(status) == "Reporting")
    file.chmod(0o600)
    append(file, {"epoch": 2, "acc": 0.5})
    assert curve(agent.wait_for_accepted(2), "acc") == {1: None, 2: 0.5}


def test_a_directory_that_may_not_be_read_until_it_may(start):
    agent = start(privileged=False)
    directory = agent.dir / "run"
    directory.mkdir(mode=0)
    status = agent.wait_for(lambda status: reason(status) == "PermissionDenied")
    assert f"{directory}: Permission denied" in message(status)
    directory.chmod(0o700)
    append(directory / "metrics.jsonl", {"epoch": 1, "loss": 0.5})
    agent.wait_for(lambda status: reason(status) == "Reporting")
