"""What is written about the agent is so: flags, links, examples."""

import json
import pathlib
import re
import shlex
import subprocess

import pytest

from harness import AGENT, clean_environment, run
from trainers import test_trainers as trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def flags_of_help(*command):
    return set(re.findall(r"^  (?:-\w, |    )(--[\w-]+)", run(*command, "--help").stdout, re.M))


def test_man_page_has_each_flag_and_no_other():
    page = (ROOT / "agent/experiments-agent.1").read_text().replace("\\-", "-")
    assert set(re.findall(r"^(?:\\fB-\w\\fR, )?\\fB(--[\w-]+)\\fR", page, re.M)) == \
        flags_of_help() | flags_of_help("run") | flags_of_help("report") | {"--records", "--why", "--format"}


def test_man_page_formats_without_a_warning():
    done = subprocess.run(["man", "--warnings", "-l", ROOT / "agent/experiments-agent.1"], capture_output=True,
                          text=True, env=clean_environment({"MANPAGER": "cat"}))
    assert (done.returncode, done.stderr) == (0, "")
    assert "publish the metrics of a training job" in done.stdout


def complete(*words):
    """What bash offers for the last of the words."""
    script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _experiments_agent;'
              ' printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, ROOT / "agent/experiments-agent.bash", *words],
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_has_each_flag_and_no_other():
    assert set(complete("experiments-agent", "--")) == flags_of_help()
    assert complete("experiments-agent", "pa") == ["parse"]
    assert complete("experiments-agent", "sta") == ["state"]
    assert complete("experiments-agent", "state", "--") == ["--output", "--help"]
    assert complete("experiments-agent", "state", "--output", "j") == ["json"]
    assert complete("experiments-agent", "parse", "--") == ["--records", "--why", "--filter", "--format"]
    assert complete("experiments-agent", "--axis", "e") == ["epoch"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document):
    for link in re.findall(r"\]\(([^)#]+)", document.read_text()):
        assert "://" in link or (document.parent / link).exists(), link


@pytest.mark.parametrize("language", ["json", "csv"])
def test_examples_of_the_metrics_file_are_understood(language, tmp_path):
    examples = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/metrics-file.md").read_text(), re.S)
    assert examples
    for example in examples:
        path = tmp_path / "metrics"
        path.write_text(example)
        done = run("parse", "--records", path)
        assert (done.returncode, done.stderr) == (0, "")
        n_lines = len(example.splitlines()) - (language == "csv")
        assert len([json.loads(line) for line in done.stdout.splitlines()]) == n_lines


def test_names_with_a_meaning_have_it(tmp_path):
    """Each name of the table in docs/metrics-file.md, in its role."""
    table = re.search(r"\| meaning \| names \|\n(.*?)\n\n", (ROOT / "docs/metrics-file.md").read_text(), re.S)[1]
    keys = {"epoch": "epoch", "step": "step", "trial": "trial", "time": "time", "epochs planned": "epochs",
            "output directory": "output", "checkpoint": "checkpoint", "end of the run": "end"}
    values = {"output": "/mnt/out", "checkpoint": "/mnt/out/1", "end": True, "time": 1700000000}
    for meaning, names in re.findall(r"^\| (\w[\w ]*) \| (.*) \|$", table, re.M):
        for name in re.findall(r"`([a-z_]+)`", names.split(": ")[0]):
            key = keys[meaning]
            path = tmp_path / "metrics.jsonl"
            line = json.dumps({name: values.get(key, 7), **({} if key in ("epoch", "step", "trial") else {"epoch": 1}),
                               "loss": 0.5})
            path.write_text(line + "\n" + line + "\n")
            record = json.loads(run("parse", "--records", path).stdout.splitlines()[0])
            assert record[key] == values.get(key, 7), name
            assert record["metrics"] == {"loss": 0.5}, name


# --- sessions ---

def console_examples():
    return re.findall(r"```console\n(.*?)```", "".join(path.read_text() for path in DOCUMENTS), re.S)


def without_times(text):
    return re.sub(r"\d{8}-\d{6}", "TIME", text)


@pytest.mark.parametrize("example", console_examples(), ids=lambda example: "-".join(example.split()[1:3]))
def test_console_examples_print_what_they_say(example, tmp_path):
    """`$ cat FILE` shows a file, any other command what it prints; on a terminal either stream may be the first."""
    environment = clean_environment()
    environment["PATH"] = f"{AGENT.parent}:{environment['PATH']}"
    for command, _, output in (part.partition("\n") for part in re.split(r"^\$ ", example, flags=re.M)[1:]):
        program, *arguments = shlex.split(command)
        if program == "cat":
            path = tmp_path / arguments[0]
            path.parent.mkdir(exist_ok=True)
            path.write_text(output)
        else:
            done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
            assert without_times(output) in (without_times(done.stdout + done.stderr),
                                             without_times(done.stderr + done.stdout)), command


# --- docs/trainers.md: what make test-trainers wrote ---

def block(name):
    text = (ROOT / "docs/trainers.md").read_text()
    return re.search(f"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text, re.S)[1]


def test_table_of_runs_is_not_stale():
    rows = re.findall(r"^\| ([\w-]+) \| (\S+) \| \[(\w+)\]", block("runs"), re.M)
    pins = trainers.pins()
    assert {name: (package, version) for package, version, name in rows} == \
        {driver.stem: (package, pins[package]) for driver, package in trainers.all_drivers().items()}, "make test-trainers"
    others = re.search(r"^Beside them: (.*)\.$", block("runs"), re.M)[1]
    assert dict(each.split() for each in others.split(", ")) == \
        {package: version for package, version in pins.items() if package not in trainers.all_drivers().values()}


def test_table_of_samples_is_not_stale():
    assert block("samples") == trainers.sample_table(), "make test-trainers"


def test_readme_counts_the_frameworks():
    n = int(re.search(r"\[(\d+) frameworks are run", (ROOT / "README.md").read_text())[1])
    assert n == len(set(trainers.all_drivers().values()))


def test_each_framework_that_is_run_is_explained():
    names = {"transformers": "Transformers", "xgboost-cpu": "XGBoost", "fasttext-wheel": "fastText", "torch": "PyTorch",
             "pytorch-tabnet": "TabNet"}
    explained = re.search(r"\| framework \| to do \|.*?\n\n", (ROOT / "docs/trainers.md").read_text(), re.S)[0].lower()
    for package in set(trainers.all_drivers().values()):
        assert names.get(package, package).lower() in explained, package


# --- docs/adding-a-format.md ---

def test_the_example_of_a_format_compiles(tmp_path):
    header, source, unit_test = re.findall(r"```c\n(.*?)```", (ROOT / "docs/adding-a-format.md").read_text(), re.S)
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats/influx.h").write_text(header)
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsyntax-only",
             *(f"-I{path}" for path in (tmp_path, ROOT / "lib", ROOT / "agent", ROOT / "tests/unit"))]
    for text in (source, unit_test):
        done = subprocess.run(["cc", "-xc", "-", *flags], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
