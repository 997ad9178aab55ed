"""Whatever a trainer writes: it is counted, named, and what is around it counts."""

import json

import pytest

from harness import append, curve, run


def records(tmp_path, content):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(content)
    done = run("parse", "--records", path)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_bad_lines_are_counted_the_first_five_named_and_the_rest_counts(start):
    agent = start()
    file = agent.dir / "metrics.jsonl"
    for epoch in range(1, 11):
        append(file, {"epoch": epoch, "loss": epoch / 2}, '{"epoch": 3, "loss": }')
    status = agent.wait_for(lambda status: status["agent"].get("rejected", 0) == 10 and
                            status["agent"]["accepted"] == 10)
    assert curve(status, "loss") == {epoch: epoch / 2 for epoch in range(1, 11)}
    agent.stop()
    log = agent.log.read_text()
    assert log.count("expected a") == 5
    for line in (2, 4, 6, 8, 10):
        assert f"metrics.jsonl:{line}:" in log
    assert "metrics.jsonl:12:" not in log
    assert "parse --why" in log


@pytest.mark.parametrize("line, metrics", [
    (b'{"epoch": 3, "a/b c": 1}', {"a/b c": 1}),
    ('{"epoch": 3, "précision ✓": 1}'.encode(), {"précision ✓": 1}),
    (b'{"epoch": 3, "' + b"n" * 1024 + b'": 1}', {"n" * 1024: 1}),
    (b'{"epoch": 3, "a": "0.5"}', {"a": 0.5}),
    (b'{"epoch": 3, "a": 1e999}', {"a": "Infinity"}),
    (b'{"epoch": 3, "a": -1e999}', {"a": "-Infinity"}),
    (b'{"epoch": 3, "a": NaN}', {"a": "NaN"}),
    (b'{"epoch": 3, "a": 1, "a": 2}', {"a": 2}),
    (b'{"epoch": 3, "a": {"b": {"c": 1}}}', {"a/b/c": 1}),
    (b'{"epoch": 3, "a": 1, "list": [1, 2, {"b": 3}]}', {"a": 1}),
    (b'{"epoch": 3, "a": 1}\r', {"a": 1}),
])
def test_what_strange_lines_mean(tmp_path, line, metrics):
    two = b'{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n'
    third = records(tmp_path, two + line + b"\n")[2]
    assert (third["epoch"], third["metrics"]) == (3, metrics)


def test_a_byte_order_mark_is_no_matter(tmp_path):
    assert [record["epoch"] for record in
            records(tmp_path, b'\xef\xbb\xbf{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n')] == [1, 2]


@pytest.mark.parametrize("bad", [
    b"\0\0\0\0", b'{"epoch": 3, "a": \xff\xfe}', b"[1, 2]", b'{"epoch": 3, "a": 1} {"epoch": 4}', b'{"epoch": 3',
    b'{"a": "' + b"x" * 10_000_000 + b'"}', b'{"epoch": 3, "a": ' + b'{"b": ' * 100 + b"1" + b"}" * 101,
], ids=["NUL", "not UTF-8", "list", "two objects", "torn", "10 MB", "100 levels"])
def test_a_line_that_is_rejected_takes_no_other_with_it(tmp_path, bad):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n' + bad +
                     b'\n{"epoch": 5, "loss": 0.125}\n')
    assert [json.loads(line)["epoch"] for line in run("parse", "--records", path).stdout.splitlines()] == [1, 2, 5]
    why = run("parse", "--why", path)
    (line,) = why.stdout.splitlines()
    assert line.startswith(f"{path}:3:") and "expected" in line


def test_parse_says_when_there_is_nothing(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Nothing to see here.\n")
    done = run("parse", path)
    assert done.returncode == 1
    assert f"{path}: no metrics were found in it" in done.stderr
    done = run("parse", tmp_path / "missing")
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_parse_reads_standard_input():
    done = run("parse", "--records", "-", input='{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n')
    assert done.returncode == 0
    assert [json.loads(line)["epoch"] for line in done.stdout.splitlines()] == [1, 2]
