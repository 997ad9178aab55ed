"""Not one metric may come from what no trainer wrote: documents, source code and settings of any Debian
machine, the output of ordinary tools, and the files of negative/, each of which looks like a trainer's
output in some way: data sets, predictions, model cards, configurations, benchmarks, logs of other programs.

A failure names the file, its line and what was found there."""

import contextlib
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from agent.harness import run

HERE = pathlib.Path(__file__).resolve().parent
NEGATIVE, REPOSITORY = HERE / "negative", HERE.parent.parent
FILES_A_RUN = 500
BYTES_MAX = 16 * 1024 * 1024  # of one file of the machine
MANUAL_PAGES = 300
SHOWN_MAX = 40


# --- asking the agent ---

def batches(paths):
    return (paths[i:i + FILES_A_RUN] for i in range(0, len(paths), FILES_A_RUN))


def text_of_line(path, number):
    with open(path, "rb") as file:
        line = next((line for i, line in enumerate(file, 1) if i == number), b"")
    return line.decode(errors="replace").strip()[:160]


def metrics_in(paths):
    """What is wrong, as lines: file, line, metrics, the text of that line."""
    found = []
    for batch in batches(paths):
        done = run("parse", "--records", *batch, errors="replace")
        assert done.returncode in (0, 1), f"the agent ended with {done.returncode}: {done.stderr[-2000:]}"
        records = (json.loads(line) for line in done.stdout.split("\n") if line)
        found += [f"{record['source']}:{record['line']}: {json.dumps(record['metrics'])[:160]}\n"
                  f"    {text_of_line(record['source'], record['line'])}"
                  for record in records if record.get("metrics")]
    return found


def assert_no_metrics(paths):
    assert paths
    found = metrics_in(paths)
    if found:
        files = {line.split(":")[0] for line in found}
        pytest.fail(f"{len(found)} false metrics in {len(files)} of {len(paths)} files:\n"
                    + "\n".join(found[:SHOWN_MAX]), pytrace=False)


# --- files of the machine ---

def files_below(folder, suffixes=None):
    """Regular files that can be read, in one order; not what a link leads to."""
    paths = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = pathlib.Path(root, name)
            if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
                continue
            if suffixes is None or path.suffix in suffixes:
                paths.append(path)
    return paths


def unpacked(paths, folder):
    """The paths, with what is packed unpacked below folder under the same name."""
    result = []
    for path in paths:
        if path.suffix == ".gz":
            plain = folder / path.relative_to("/").with_suffix("")
            plain.parent.mkdir(parents=True, exist_ok=True)
            try:
                plain.write_bytes(gzip.decompress(path.read_bytes()))
            except (gzip.BadGzipFile, EOFError):
                continue
            path = plain
        if 0 < path.stat().st_size <= BYTES_MAX:
            result.append(path)
    return result


MACHINE = {  # folder: what is read there
    "/usr/share/doc": None,
    "/usr/share/common-licenses": None,
    "/usr/share/info": None,
    "/usr/lib/python3": {".py", ".txt", ".json"},
    "/usr/lib/python3.11": {".py"},
    "/usr/include": {".h"},
    "/etc": None,
}


@pytest.mark.parametrize("folder", MACHINE)
def test_files_of_the_machine(tmp_path, folder):
    paths = unpacked(files_below(folder, MACHINE[folder]), tmp_path)
    if not paths:
        pytest.skip(f"nothing in {folder}")
    assert_no_metrics(paths)


def test_manual_pages(tmp_path):
    """Rendered, as man shows them; every so many, spread over the sections."""
    if not shutil.which("groff"):
        pytest.skip("no groff")
    pages = [page for section in range(1, 9) for page in files_below(f"/usr/share/man/man{section}", {".gz"})]
    rendered = []
    for page in pages[::max(1, len(pages) // MANUAL_PAGES)]:
        source = gzip.decompress(page.read_bytes())
        if source.startswith(b".so "):
            continue
        done = subprocess.run(["groff", "-t", "-mandoc", "-Tutf8", "-P-c", "-rLL=100n"], input=source,
                              capture_output=True)
        rendered.append(tmp_path / page.stem)
        rendered[-1].write_bytes(done.stdout)
    assert_no_metrics(rendered)


def test_proc(tmp_path):
    """/proc has no sizes: copies of it."""
    copies = []
    for name in ("meminfo", "cpuinfo", "stat", "vmstat", "interrupts", "softirqs", "loadavg", "uptime", "version",
                 "mounts", "partitions", "diskstats", "zoneinfo", "slabinfo", "self/status", "self/stat", "self/io",
                 "self/limits", "self/maps", "self/smaps", "self/sched", "net/dev", "net/snmp", "net/tcp",
                 "pressure/cpu", "pressure/memory"):
        try:
            text = pathlib.Path("/proc", name).read_bytes()
        except OSError:
            continue
        if text:
            copies.append(tmp_path / name.replace("/", "_"))
            copies[-1].write_bytes(text)
    assert_no_metrics(copies)


# --- what tools print ---

def outputs_of(commands, folder, **kwargs):
    """One file for each command that there is, with what it prints."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "120", "PAGER": "cat", "GIT_PAGER": "cat"}
    paths = []
    for command in commands:
        if not shutil.which(command[0]):
            continue
        path = folder / f"{len(paths):02}-{pathlib.Path(command[0]).name}.log"
        with open(path, "wb") as file, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                           env=environment, timeout=10, check=False, **kwargs)
        paths.append(path)
    return [path for path in paths if path.stat().st_size > 0]


def of_the_system(folder):
    return outputs_of([
        ["ls", "-l", "/usr/bin"], ["ls", "-lah", "/"], ["df", "-h"], ["df", "-i"], ["free", "-m"],
        ["ps", "aux"], ["ps", "-eo", "pid,ppid,%cpu,%mem,rss,etime,comm"], ["vmstat"], ["vmstat", "-s"],
        ["top", "-b", "-n1"], ["lscpu"], ["lsblk"], ["mount"], ["dmesg"], ["ss", "-s"], ["ss", "-tan"],
        ["ip", "addr"], ["ip", "-s", "link"], ["uname", "-a"], ["uptime"], ["w"], ["id"],
        ["getconf", "-a"], ["sysctl", "-a"], ["find", "/etc", "-ls"], ["du", "-a", "/etc"], ["nproc"],
        ["locale", "-a"], ["date"], ["cal"], ["bash", "-c", "time sleep 0.01; times; ulimit -a"],
        ["curl", "--version"], ["openssl", "version", "-a"],
        ["env", "-i", "EPOCH=3", "STEP=100", "LOSS=0.5", "env"], ["docker", "version"], ["nvidia-smi"],
    ], folder)


def of_packages(folder):
    return outputs_of([
        ["dpkg", "-l"], ["dpkg", "--status", "bash"], ["apt-cache", "policy", "bash", "gcc", "python3"],
        ["apt-cache", "show", "gcc"], [sys.executable, "-m", "pip", "list"],
        [sys.executable, "-m", "pip", "install", "--no-index", "--dry-run", "pip", "no-such-package==1.2.3"],
        [sys.executable, "-m", "pip", "install", "--no-index", "--dry-run", "pip"],
    ], folder)


def of_tracers(folder):
    return outputs_of([
        ["strace", "-c", "ls"], ["strace", "-r", "true"], ["strace", "-T", "true"],
        ["valgrind", "true"], ["valgrind", "--tool=massif", "--massif-out-file=massif.out", "true"],
        ["perf", "stat", "true"], ["python3", "-X", "importtime", "-c", "import json"],
        ["python3", "-m", "timeit", "-n", "1000", "sum(range(100))"],
        ["python3", "-m", "cProfile", "-s", "tottime", "-c", "import json, csv"],
        ["python3", "-m", "dis", "/dev/null"], ["gdb", "--version"],
    ], folder, cwd=folder.parent)


PROJECT = {
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.13)\nproject(loss VERSION 0.93 LANGUAGES C)\n"
                      "enable_testing()\nadd_executable(train train.c)\nadd_test(NAME train COMMAND train)\n"
                      "add_test(NAME accuracy COMMAND false)\nadd_custom_target(broken COMMAND ${CMAKE_C_COMPILER} "
                      "-Wall -c ${CMAKE_SOURCE_DIR}/broken.c)\n",
    "train.c": '#include <stdio.h>\n#include <stdlib.h>\n\nint main(void) {\n        unsigned loss = -1;\n'
               '        return loss < 0 ? puts("loss = 0.1") : abs(0);\n}\n',
    "broken.c": "int step(int epoch) {\n        float loss = 0.5;\n        return epoch + accuracy;\n}\n"
                "int step(float lr) { return lr = 0.001 }\n",
    "test_epoch.py": "import time\n\nimport pytest\n\n\n@pytest.mark.parametrize('epoch', range(10))\n"
                     "def test_loss(epoch):\n    time.sleep(0.002)\n    assert epoch * 0.1 < 0.75\n\n\n"
                     "def test_accuracy():\n    accuracy, loss = 0.912, 0.31\n    assert accuracy == loss\n\n\n"
                     "def test_raises():\n    raise ValueError('val_loss=0.25 at step 100')\n",
    "traceback.py": "def train(epoch, loss=0.5):\n    accuracy = 0.9\n    return train(epoch + 1, loss) if epoch < 3 "
                    "else 1 / 0\n\n\ntrain(0)\n",
    "Makefile": "all: one two\none two:\n\t@echo making $@\n\tsleep 0.01\nfail:\n\tfalse\n",
}


def of_git(folder):
    """The history of a project with a loss in its files. Not this project's: its messages quote trainers."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name, text in PROJECT.items():
        (source / name).write_text(text)
    identity = ["-c", "user.name=Loss", "-c", "user.email=loss@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Train for 3 epochs, until the loss is small"],
                    ["rm", "-q", "broken.c"], ["commit", "-q", "-m", "Drop what is broken", "-m", "Its step() returned 0.001 for a learning rate."]):
        subprocess.run(["git", *identity, *command], cwd=source, check=True, capture_output=True)
    return outputs_of([
        ["git", "log", "--stat"], ["git", "log", "--oneline"], ["git", "log", "-p"], ["git", "diff", "--stat", "HEAD~1"],
        ["git", "diff", "HEAD~1"], ["git", "status"], ["git", "count-objects", "-v"], ["git", "ls-files", "-s"],
        ["git", "shortlog", "-sn", "HEAD"], ["git", "blame", "train.c"],
    ], folder / "logs", cwd=source)


def of_builds(folder):
    """A project that is configured, built, tested, and fails."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name, text in PROJECT.items():
        (source / name).write_text(text)
    return outputs_of([
        ["gcc", "-v"], ["gcc", "-Wall", "-Wextra", "-c", "broken.c"], ["gcc", "-ftime-report", "-c", "train.c"],
        ["gcc", "-Q", "--help=optimizers"], ["cmake", "-S", ".", "-B", "build"], ["cmake", "--build", "build", "-v"],
        ["cmake", "--build", "build", "--target", "broken"], ["cmake", "-LA", "-N", "build"],
        ["ctest", "--test-dir", "build", "--output-on-failure"], ["ctest", "--test-dir", "build", "-VV"],
        ["make"], ["make", "fail"], ["make", "-d", "-n"], ["make", "-p", "-n"],
        [sys.executable, "-m", "pytest", "-v", "--durations=5", "-p", "no:cacheprovider", "test_epoch.py"],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_epoch.py"],
        [sys.executable, "traceback.py"], ["size", "build/train"], ["nm", "build/train"],
        ["readelf", "-a", "build/train"], ["objdump", "-d", "build/train"],
    ], folder / "logs", cwd=source)


@pytest.mark.parametrize("collect", [of_the_system, of_packages, of_git, of_tracers, of_builds])
def test_output_of_tools(tmp_path, collect):
    assert_no_metrics(collect(tmp_path / "tools"))


# --- files written by hand ---

def test_sources_of_this_project():
    """Parsers, tests and documents that are full of metrics, in quotes."""
    assert_no_metrics([path for folder in ("agent", "lib", "demo", "k8s", "scripts")
                       for path in files_below(REPOSITORY / folder, {".c", ".h", ".py", ".yaml", ".txt", ".json"})])


@pytest.mark.parametrize("folder", sorted(path.name for path in NEGATIVE.iterdir()))
def test_written_by_hand(folder):
    assert_no_metrics(files_below(NEGATIVE / folder))
