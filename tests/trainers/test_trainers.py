"""Trainers, really run: what the agent publishes is the history that the trainer's own API returned in the
same process, whole. A metric too many fails like one that is missing.

Each of drivers/ trains for seconds in a directory that the agent follows, its console in DIR/stdout.log,
and leaves that history as truth.json beside the directory (drivers/truth.py). EXPERIMENTS_REPORT names the
document that gets the tables of what was found (docs/trainers.md)."""

import dataclasses
import functools
import glob
import json
import os
import pathlib
import re
import struct
import subprocess
import sys

import pytest

from agent.harness import AGENT, Agent, clean_environment, run

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2",
               "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu", "LC_ALL": "C.UTF-8"}


def package_of(driver):
    match = re.search(r'^truth = Truth\("([\w-]+)"\)', driver.read_text(), re.M)
    return match and match[1]


def all_drivers():
    """{path: the package that it runs}; what has none helps others."""
    drivers = {path: package_of(path) for path in sorted((HERE / "drivers").glob("*.py"))}
    return {path: package for path, package in drivers.items() if package}


def is_installed(package):
    script = f"import importlib.metadata as m; m.version({package!r})"
    return subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def chosen_drivers():
    """Those of small.txt; all where the packages of all.txt are installed, which PyTorch tells."""
    small = re.findall(r"^([\w-]+)==", (HERE / "small.txt").read_text(), re.M)
    with_all = is_installed("torch")
    return [path for path, package in all_drivers().items() if package in small or with_all]


DRIVERS = chosen_drivers()


@dataclasses.dataclass
class Run:
    dir: pathlib.Path
    truth: dict
    status: dict | None
    rows: list = dataclasses.field(default_factory=list)  # of the report


@pytest.fixture(scope="module")
def run_driver(tmp_path_factory):
    """run_driver(path): the driver's one run of this module, while an agent follows its directory."""
    runs, asked = {}, set()

    @functools.cache
    def run_once(driver):
        asked.add(driver)
        work = tmp_path_factory.mktemp(driver.stem)
        agent = Agent(work, job=driver.stem.replace("_", "-"))
        try:
            with open(agent.dir / "stdout.log", "wb") as log:
                done = subprocess.run([sys.executable, driver, agent.dir], stdout=log, stderr=subprocess.STDOUT, cwd=work,
                                      env=clean_environment({**ENVIRONMENT, "HOME": str(work)}))
            assert done.returncode == 0, (agent.dir / "stdout.log").read_text(errors="replace")[-4000:]
            status = agent.stop()
        finally:
            agent.close()
        runs[driver] = Run(agent.dir, json.loads((work / "truth.json").read_text()), status)
        return runs[driver]

    yield run_once
    if "EXPERIMENTS_REPORT" in os.environ:
        write_report(pathlib.Path(os.environ["EXPERIMENTS_REPORT"]), runs, is_whole=asked == set(all_drivers()))


# --- comparing ---

def key(name):
    """Names are the same when their letters and digits are."""
    return "".join(filter(str.isalnum, name.lower()))


def last_of_each_x(points):
    """The last value counts where several have one x; those that are not finite never do."""
    return {x: value for x, value in points if not isinstance(value, str)}


def rounded(value, digits):
    """The value as this output can tell it."""
    if digits == "full":
        return float(value)
    if digits == "float32":
        return struct.unpack("f", struct.pack("f", value))[0]
    return float(digits % value)


def digits_of(source, name):
    digits = source["digits"]
    return digits if isinstance(digits, str) else digits.get(name, digits.get(""))


def difference(found, expected, digits):
    """What is wrong with one curve, or None."""
    if list(found) != list(expected):
        return f"x is {list(found)}, not {list(expected)}"
    for x, value in expected.items():
        told = rounded(found[x], digits) if digits == "float32" else found[x]
        if told != rounded(value, digits):
            return f"at {x}: {found[x]!r}, not {value!r} ({digits})"
    return None


def differences(found, expected, optional):
    """found: {name: {x: value}}, expected: {name: ({x: value}, digits)}: what is wrong with each name."""
    wrong = {}
    for name, (curve, digits) in expected.items():
        if not curve:
            continue
        said = "missing" if name not in found else difference(found[name], curve, digits)
        if said and not (name in optional and name not in found):
            wrong[name] = said
    for name in found.keys() - expected.keys() - optional:
        wrong[name] = "is no metric of this trainer's"
    return wrong


# --- a source on its own ---

def paths_of(directory, pattern):
    paths = sorted(glob.glob(pattern, root_dir=directory, recursive=True))
    assert paths, f"the trainer did not write {pattern}"
    return paths


def parsed(directory, path, axis):
    """{name: {x: value}} of one file, x counted as the axis says."""
    done = run("parse", "--records", path, cwd=directory)
    assert done.returncode == 0 or (done.returncode, done.stdout) == (1, ""), done.stderr
    curves = {}
    for row, record in enumerate(map(json.loads, done.stdout.splitlines())):
        for name, value in record.get("metrics", {}).items():
            curves.setdefault(name, []).append((record.get(axis, record.get("row", row) if axis == "row" else None), value))
    return {name: curve for name, points in curves.items() if (curve := last_of_each_x(points))}


def expected_of(source):
    return {name: (last_of_each_x(points), digits_of(source, name)) for name, points in source["curves"].items()}


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda path: path.stem)
def test_each_source_on_its_own(driver, run_driver):
    ran, wrong = run_driver(driver), {}
    for pattern, source in ran.truth["sources"].items():
        for path in paths_of(ran.dir, pattern):
            expected = expected_of(source)
            bad = differences(parsed(ran.dir, path, source["axis"]), expected, set(source.get("optional", ())))
            ran.rows.append((pattern, len(expected.keys() - bad.keys()), len(expected), len(bad.keys() - expected.keys())))
            if bad:
                wrong[path] = bad
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)


# --- the Result ---

def expected_of_result(truth):
    """What the Result says: each name once, from the first source that has it."""
    result = truth.get("result", {})
    if "curves" in result:
        return result["axis"], expected_of(result), set(result.get("optional", ()))
    order = result.get("order") or list(truth["sources"])
    curves, owned = {}, set()
    for pattern in order:
        for name, curve in expected_of(truth["sources"][pattern]).items():
            if key(name) not in owned and curve[0]:
                owned.add(key(name))
                curves[name] = curve
    optional = {name for part in (truth.get("result", {}), *truth["sources"].values()) for name in part.get("optional", ())}
    return truth["sources"][order[0]]["axis"], curves, optional


def published(status):
    return {column["name"]: {x: value for x, value in zip(status["x"], column["values"]) if value is not None}
            for column in status["metrics"]} if status else {}


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda path: path.stem)
def test_result_is_the_history(driver, run_driver):
    ran = run_driver(driver)
    axis, expected, optional = expected_of_result(ran.truth)
    wrong = differences(published(ran.status), expected, optional)
    ran.rows.append(("Result", len(expected.keys() - wrong.keys()), len(expected), len(wrong.keys() - expected.keys())))
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
    assert not expected or ran.status["axis"].lower() == axis


# --- as a child of the agent ---

CONSOLE_DRIVERS = [path for path in DRIVERS if path.stem in ("catboost_train", "keras_console", "lightgbm_train")]


@pytest.mark.parametrize("driver", CONSOLE_DRIVERS, ids=lambda path: path.stem)
def test_a_trainer_that_is_run_comes_to_the_same(driver, tmp_path):
    """What it prints is read from its output, without a file of it."""
    done = subprocess.run([AGENT, "run", "--job", "it", "--to", "results", "--dir", "run", "--", sys.executable, driver, "run"],
                          cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
                          env=clean_environment({**ENVIRONMENT, "HOME": str(tmp_path)}))
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    assert not (tmp_path / "run" / "stdout.log").exists()
    axis, expected, optional = expected_of_result(json.loads((tmp_path / "truth.json").read_text()))
    status = json.loads((tmp_path / "results" / "it.json").read_text())["status"]
    wrong = differences(published(status), expected, optional)
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
    assert status["axis"].lower() == axis and status["phase"] == "Succeeded"


# --- the report ---

def pins():
    """{package: version} of all that is installed for the drivers."""
    return dict(line.split("==") for path in sorted(HERE.glob("*.txt")) for line in path.read_text().splitlines()
                if "==" in line and not line.startswith("#"))


def table(head, rows):
    return "\n".join([f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def read_of(rows):
    """Curves found and expected in each source, files of one pattern together; then those of the Result."""
    sums = {}
    for source, *counts in rows:
        sums[source] = [sum(pair) for pair in zip(counts, sums.get(source, (0, 0, 0)))]
    cells = {source: f"{found}/{expected}" + (f", {extra} too many" if extra else "")
             for source, (found, expected, extra) in sums.items()}
    result = cells.pop("Result", "")
    return "<br>".join(f"`{source}` {cell}" for source, cell in cells.items()), result


def run_table(runs):
    order = sorted(runs.items(), key=lambda item: (item[1].truth["framework"].lower(), item[0]))
    rows = [(ran.truth["framework"], ran.truth["version"], f"[{driver.stem}](../tests/trainers/drivers/{driver.name})",
             *read_of(ran.rows)) for driver, ran in order]
    others = [f"{package} {version}" for package, version in sorted(pins().items(), key=lambda pin: pin[0].lower())
              if package not in all_drivers().values()]
    return table(("framework", "version", "run", "read", "Result"), rows) + f"\n\nBeside them: {', '.join(others)}."


# Real files of frameworks that no driver runs: which of samples/ are theirs.
SAMPLES = {
    "DeepSpeed": "deepspeed/*", "Detectron2": "detectron2/*", "DETR": "detr_deit_logtxt/*", "fairseq": "extracted/fairseq*",
    "Guild": "guild/*", "Katib's text format": "extracted/katib_*.log", "LLaMA-Factory": "llama_factory/*",
    "llm.c": "extracted/llm_c*", "Megatron-LM": "megatron_lm/*", "MLX": "extracted/mlx*", "modded-nanogpt": "modded_nanogpt/*",
    "OLMo": "olmo/*", "OpenAI baselines": "openai_baselines/*", "Ray RLlib": "ray/*",
    "TensorFlow 2's TensorBoard callback": "tensorboard/*.v2",
}


def sample_table():
    """Only samples that hold curves; test_golden.py compares each point of them."""
    rows = []
    for framework, pattern in SAMPLES.items():
        for path in sorted((HERE / "samples").glob(pattern)):
            name = path.relative_to(HERE / "samples")
            golden = json.loads((HERE / "golden" / f"{name}.json").read_text())
            if golden["curves"]:
                points = sum(map(len, golden["curves"].values()))
                short = re.sub(r"(tfevents)\..*?(\.v2)?$", r"\1.…\2", path.name)
                rows.append((framework, f"[{short}](../tests/trainers/samples/{name})", golden["axis"],
                             str(len(golden["curves"])), str(points)))
    return table(("framework", "file", "x", "curves", "points"), rows)


def write_report(path, runs, is_whole):
    """Between the document's markers; where it has none, it becomes the tables. Some of the runs make no table."""
    if not is_whole:
        return
    text = path.read_text() if path.exists() else ""
    for name, content in (("runs", run_table(runs)), ("samples", sample_table())):
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        block = f"{start}\n{content}\n{end}"
        text = text[:text.index(start)] + block + text[text.index(end) + len(end):] if start in text else text + block + "\n"
    path.write_text(text)
