"""`experiments-agent state`: what is kept, for people and as JSON."""

import json
import struct

import pytest

from harness import append, run

MAGIC = b"\x8dEXPST\r\n"


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def generation(number, blob, major=1, minor=0, durable=0):
    """A slot's bytes as docs/state.md has them."""
    header = MAGIC + struct.pack("<HHIQQQ", major, minor, crc32c(blob), number, durable, len(blob))
    return header + struct.pack("<II", crc32c(header), 0) + blob


@pytest.fixture
def kept(start):
    """The directory of an agent that was killed, having read two files."""
    agent = start(job="digits-1", env={"POD_NAME": "digits-1-x", "JOB_UID": "uid-1"})
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "acc": 0.75}, "no {json")
    (agent.dir / "sub").mkdir()
    append(agent.dir / "sub" / "more.jsonl", {"epoch": 2, "lr": 0.1})
    agent.wait_for_accepted(3)
    agent.process.kill()
    agent.process.wait()
    return agent.dir


def state(directory, *flags):
    done = run("state", *flags, directory)
    return done, json.loads(done.stdout) if flags and done.stdout else None


def test_all_that_is_kept_as_json(kept):
    done, shown = state(kept, "--output", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert shown["directory"] == f"{kept}/.agent"
    newest = max((slot for slot in shown["generations"] if slot["condition"] == "Intact"), key=lambda slot: slot["generation"])
    assert newest["version"] == "1.0" and newest["bytes"] > 100
    assert {slot["file"] for slot in shown["generations"]} == {"state.0", "state.1", "state.2"}
    kept_state = shown["state"]
    assert kept_state["run"] == {"job": "digits-1", "jobUID": "uid-1", "pod": "digits-1-x"}
    assert kept_state["facts"]["phase"] == "Running" and kept_state["facts"]["rejected"] == 1
    files = {file["path"]: file for file in kept_state["files"]}
    path = kept / "metrics.jsonl"
    assert files[str(path)]["offset"] == files[str(path)]["size"] == path.stat().st_size
    assert files[str(path)]["inode"] == path.stat().st_ino
    assert (files[str(path)]["records"], files[str(path)]["rejected"]) == (2, 1)
    assert files[str(kept / "sub/more.jsonl")]["records"] == 1
    fold = kept_state["fold"]
    assert (fold["axis"], fold["rows"], fold["accepted"], fold["epoch"]) == ("epoch", 2, 3, 2)
    metrics = {metric["name"]: metric for metric in fold["metrics"]}
    assert {name: metric["latest"] for name, metric in metrics.items()} == {"loss": 0.25, "acc": 0.75, "lr": 0.1}
    assert metrics["loss"]["max"] == 0.5 and metrics["lr"]["source"].endswith("sub/more.jsonl")


def test_all_that_is_kept_for_people(kept):
    done, _ = state(kept)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("digits-1, uid uid-1", "digits-1-x", "Running", "1 rejected", "intact, the newest", "files      2",
                 f"{kept}/metrics.jsonl: read to {(kept / 'metrics.jsonl').stat().st_size} of", "3 records",
                 "x: epoch, 2 rows, 1 to 2", "loss", "0.75"):
        assert text in done.stdout, text


def test_the_directory_itself_and_the_short_flag(kept):
    assert state(kept / ".agent", "-o", "json")[1] == state(kept, "-o", "json")[1]


def test_while_the_agent_runs(start):
    agent = start()
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 0.5})
    agent.wait_for_accepted(1)
    done, shown = state(agent.dir, "-o", "json")
    assert done.returncode == 0 and shown["state"]["fold"]["accepted"] == 1
    assert agent.stop()["agent"]["accepted"] == 1


@pytest.mark.parametrize("axis", ["row", "trial", "step", "epoch"])
def test_whatever_the_axis_was_fixed_to(start, axis):
    agent = start("--axis", axis)
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "step": 10, "trial": 3, "loss": 0.5})
    agent.wait_for_accepted(1)
    assert state(agent.dir, "-o", "json")[1]["state"]["fold"]["axis"] == axis


def newest(directory):
    slots = [slot for slot in state(directory, "-o", "json")[1]["generations"] if slot["condition"] == "Intact"]
    return directory / ".agent" / max(slots, key=lambda slot: slot["generation"])["file"]


@pytest.mark.parametrize("spoil, condition, why", [
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), "Torn", "torn"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "Changed", "checksum"),
    (lambda path: path.write_bytes(bytes(path.stat().st_size)), "Foreign", "does not begin"),
    (lambda path: path.write_bytes(b""), "Empty", "empty"),
    (lambda path: path.unlink(), "Absent", "no file"),
    (lambda path: (path.unlink(), path.mkdir()), "NoFile", "no regular file"),
])
def test_what_is_not_intact_says_why(kept, spoil, condition, why):
    """The one that is left is shown; with none, the status says so."""
    path = newest(kept)
    other = kept / ".agent" / ("state.0" if path.name != "state.0" else "state.1")
    other.write_bytes(path.read_bytes())
    spoil(path)
    done, shown = state(kept, "-o", "json")
    assert done.returncode == 0 and shown["state"]["run"]["job"] == "digits-1"
    assert {slot["file"]: slot["condition"] for slot in shown["generations"]}[path.name] == condition
    assert why in state(kept)[0].stdout
    for slot in ("state.0", "state.1", "state.2"):
        if (kept / ".agent" / slot).is_file():
            (kept / ".agent" / slot).write_bytes(b"")
    done, shown = state(kept, "-o", "json")
    assert done.returncode == 1 and "state" not in shown
    assert done.stderr.endswith(": no generation is intact\n")


def test_a_newer_version_is_named(kept):
    (kept / ".agent" / "state.1").write_bytes(generation(99, b"whatever", major=2, minor=5))
    done, shown = state(kept, "-o", "json")
    assert done.returncode == 1 and "state" not in shown
    assert done.stderr == (f"experiments-agent state: {kept}/.agent/state.1: is of version 2.5, and this program reads 1.x:"
                           " use the agent that wrote it\n")
    assert "Newer" in {slot["condition"] for slot in shown["generations"]}


def test_the_agent_leaves_a_newer_version_alone(kept):
    slot = kept / ".agent" / "state.1"
    slot.write_bytes(generation(99, b"whatever", major=2))
    before = {path.name: path.read_bytes() for path in (kept / ".agent").iterdir()}
    done = run("--dir", kept, "--job", "digits-1", "--to", kept.parent / "results")
    assert done.returncode == 2
    assert "newer agent" in done.stderr and str(kept / ".agent") in done.stderr
    assert {path.name: path.read_bytes() for path in (kept / ".agent").iterdir()} == before


def test_intact_but_no_state(kept):
    for i, blob in enumerate((b"\xff\xff\xff", b"\x22\x02\xff\xff")):
        (kept / ".agent" / "state.2").write_bytes(generation(100 + i, blob))
        done = run("state", kept)
        assert (done.returncode, done.stderr) == \
            (1, f"experiments-agent state: {kept}/.agent: is intact, but not as an agent writes it\n")


def test_control_characters_stay_out_of_the_terminal(start):
    agent = start()
    append(agent.dir / "a\x1b[31m.jsonl", {"epoch": 1, "lo\x1b[2Jss": 0.5})
    agent.wait_for_accepted(1)
    assert "\x1b" not in run("state", agent.dir).stdout


@pytest.mark.parametrize("arguments, expected", [
    ([], "no directory: expected one DIR"),
    (["a", "b"], "b: expected one DIR"),
    (["--output", "yaml", "a"], "--output: expected text or json"),
    (["--output"], "--output: expected an argument"),
    (["--what", "a"], "--what: expected a flag that there is"),
])
def test_wrong_use(arguments, expected):
    done = run("state", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"experiments-agent state: {expected} (see --help)\n"


def test_nothing_kept(tmp_path):
    done = run("state", tmp_path)
    assert (done.returncode, done.stderr) == (1, f"experiments-agent state: {tmp_path}: no state is kept here\n")
    done = run("state", tmp_path / "gone")
    assert (done.returncode, done.stderr) == \
        (1, f"experiments-agent state: {tmp_path}/gone: No such file or directory\n")


def test_help():
    for flag in ("--help", "-h"):
        done = run("state", flag)
        assert done.returncode == 0 and "--output FORMAT" in done.stdout and done.stderr == ""
    assert "experiments-agent state [--output json] DIR" in run("--help").stdout
