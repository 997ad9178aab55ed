"""What is written about the agent is so: flags, links, examples."""

import json
import pathlib
import re
import subprocess

import pytest

from harness import AGENT, clean_environment, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def flags_of_help():
    return set(re.findall(r"^  (?:-\w, |    )(--[\w-]+)", run("--help").stdout, re.M))


def test_man_page_has_each_flag_and_no_other():
    page = (ROOT / "agent/experiments-agent.1").read_text().replace("\\-", "-")
    assert set(re.findall(r"^(?:\\fB-\w\\fR, )?\\fB(--[\w-]+)\\fR", page, re.M)) == \
        flags_of_help() | {"--records", "--why"}


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
    assert complete("experiments-agent", "parse", "--") == ["--records", "--why"]
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
