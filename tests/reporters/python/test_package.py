"""The package as it is installed: what it needs, what it imports, its types."""

import ast
import pathlib
import shutil
import subprocess
import sys

import pytest

from agent.harness import clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "reporters/python/experiments"
SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_python_3_8_reads_it(path):
    ast.parse(path.read_text(), str(path), feature_version=(3, 8))


def test_an_import_is_light_and_touches_nothing(tmp_path):
    """No framework, no logging and no thread, and nothing of the file system or the network but its own files."""
    code = ("import json, socket, sys, threading, os; before = set(sys.modules)\n"
            "sys.addaudithook(lambda name, arguments: print(name, arguments) if name.startswith(('socket.', 'os.', 'subprocess'))\n"
            "                 and name not in ('os.listdir',) else None)\n"
            "import experiments\n"
            "more = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
            "print(sorted(more), 'logging' in sys.modules, threading.active_count())\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=clean_environment({"PYTHONPATH": str(ROOT / "reporters/python"), "PYTHONDONTWRITEBYTECODE": "1"}))
    assert done.stdout == "['experiments'] False 1\n"


def test_pip_installs_it(tmp_path):
    """From a copy, since pip builds in the source; into a virtual environment that has nothing else."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "VERSION", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "reporters/python", source / "reporters/python", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source], check=True)
    code = "import experiments; from importlib.metadata import requires, version; print(version('experiments'), requires('experiments'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"{(ROOT / 'VERSION').read_text().strip()} None\n"
    [installed] = venv.glob("lib/python*/site-packages/experiments")
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if "__pycache__" not in path.parts} - {""}
    assert {path.name for path in SOURCES} | {"py.typed"} <= names


USE = '''
import experiments
from typing import Optional

experiments.report(epoch=1, step=None, loss=0.5, metrics={"val/acc": 1}, epochs=90, output="/out", checkpoint=b"/c", time=1.5)
experiments.parameters({"lr": 0.1})
reason: Optional[str] = experiments.stop_reason()
stop: bool = experiments.should_stop()
kept: bool = experiments.flush(timeout=1)
n: int = experiments.dropped() + experiments.unconfirmed()
with experiments.log(epochs=90) as log:
    log.report(1, loss=0.5)
experiments.Reporter(socket="/s", rank=3).end(1, "no data")
'''
MISUSE = ["experiments.report(loss='x')", "experiments.report(epoch='3')", "experiments.end('x')", "experiments.report(loss=None)"]


def test_types(tmp_path):
    """mypy --strict, of the package and of what uses it."""
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "misuse.py").write_text("import experiments\n" + "\n".join(MISUSE) + "\n")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache"]
    env = clean_environment({"MYPYPATH": str(ROOT / "reporters/python")})
    # Adapters import frameworks, which are not all there.
    ours = [PACKAGE / name for name in ("__init__.py", "notices.py", "values.py", "process.py", "connection.py", "file.py",
                                        "delivery.py", "reporter.py")]
    done = subprocess.run([*mypy, *ours, tmp_path / "use.py"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout
    done = subprocess.run([*mypy, tmp_path / "misuse.py"], capture_output=True, text=True, env=env)
    assert {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line} == {2, 3, 4, 5}
