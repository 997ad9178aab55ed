"""The demo as a person sees it: it ends well, agrees with its trainers, and leaves nothing behind."""

import contextlib
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys

import pytest

DEMO = pathlib.Path(__file__).resolve().parents[2] / "demo" / "demo.py"


def demo(directory, *arguments):
    return [sys.executable, str(DEMO), "--directory", str(directory), *arguments]


def processes_of(directory):
    """Everything that was started for this run has its directory in its arguments."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
            if str(directory) in words:
                found.append(words)
    return found


def test_files(tmp_path):
    here = tmp_path / "demo"
    run = subprocess.run(demo(here, "--runs", "3", "--epochs", "12"), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Every published curve equals what its trainer computed." in run.stdout
    manifests = [json.loads(path.read_text()) for path in sorted((here / "results").glob("*.json"))]
    assert [manifest["status"]["phase"] for manifest in manifests] == ["Succeeded"] * 3
    for manifest in manifests:
        assert manifest["metadata"]["name"] in run.stdout
        assert manifest["status"]["x"] == list(range(1, 13))
    assert processes_of(here) == []


def test_files_on_a_terminal(tmp_path):
    here = tmp_path / "demo"
    main, terminal = pty.openpty()
    with subprocess.Popen(demo(here, "--runs", "2", "--epochs", "12"), stdin=terminal, stdout=terminal,
                          stderr=terminal, env={**os.environ, "TERM": "xterm"}) as run:
        os.close(terminal)
        written = b""
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal open any more
            while chunk := os.read(main, 65536):
                written += chunk
    os.close(main)
    assert run.returncode == 0, written.decode()
    text = written.decode()
    assert "\033[3A" in text, "a heading and two lines, drawn over and over"
    assert "12/12" in text
    assert "█" in text, "room for the curve on 80 columns"


@pytest.mark.parametrize("where", ["files", "cluster"])
def test_interrupted(tmp_path, where):
    here = tmp_path / "demo"
    arguments = ["--runs", "2", "--epochs", "100000"] + ["--cluster"] * (where == "cluster")
    with subprocess.Popen(demo(here, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        said = ""
        for line in run.stdout:
            said += line
            if "val_loss=" in line:  # training, and published
                assert len(processes_of(here)) >= 5, "the demo, two trainers, two agents"
                run.send_signal(signal.SIGINT)
                break
        rest = run.stdout.read()
    assert run.returncode == 130, said + rest
    assert "Interrupt: everything that was started has ended." in rest
    assert processes_of(here) == []


def test_cluster(tmp_path):
    here = tmp_path / "demo"
    run = subprocess.run(demo(here, "--cluster", "--runs", "2", "--epochs", "12"), capture_output=True, text=True,
                         check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Every published curve equals what its trainer computed." in run.stdout
    assert len(re.findall(r"^digits-\w+ +digits +Succeeded +12 ", run.stdout, re.MULTILINE)) == 2, "kubectl get results"
    assert "kind: Result\n" in run.stdout, "kubectl get result -o yaml"
    assert processes_of(here) == []
