"""Real files of real trainers (tests/trainers/samples, licences in its MANIFEST.tsv): each value that is
found is compared with what Python's own json and csv modules read at the same place."""

import csv
import json
import math
import pathlib

import pytest

from harness import run

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "trainers" / "samples"
JSON, CSV, TSV, COMMENTED_CSV = "json", ",", "\t", "# ,"

# file, how Python reads it, records, what x is, metrics that must be there
EXPECTED = [
    ("detectron2/metrics_head.json", JSON, 150, "step", {"total_loss", "lr", "fast_rcnn/cls_accuracy"}),
    ("detr_deit_logtxt/detr_log_head.txt", JSON, 20, "epoch", {"train_loss", "test_loss", "train_class_error"}),
    ("dvclive/hf_eval_loss.tsv", TSV, 107, "step", {"loss"}),
    ("keras/csvlogger_training.log", CSV, 24, "epoch", {"accuracy", "dice_coef", "loss", "val_loss"}),
    ("llama_factory/trainer_log.jsonl", JSON, 202, "step", {"loss", "accuracy", "lr"}),
    ("openai_baselines/guided_diffusion_progress_head.csv", CSV, 119, "step", {"loss", "grad_norm"}),
    ("openai_baselines/progress.csv", CSV, 100, "row", {"agent acc", "demo acc"}),
    ("ray/progress_head.csv", CSV, 39, "step", {"episode_reward_mean"}),
    ("ray/result_head.json", JSON, 40, "step", {"info/learner/policy_loss"}),
    ("stable_baselines3/0.monitor.csv", COMMENTED_CSV, 345, "row", {"r", "l"}),
]


def flatten(value, prefix=""):
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from flatten(inner, f"{prefix}{key}/")
        else:
            yield prefix + key, inner


def rows_of(path, how):
    """One dict a record, as Python reads the file."""
    lines = path.read_text().splitlines()
    if how == JSON:
        return [dict(flatten(json.loads(line))) for line in lines if line]
    if how == COMMENTED_CSV:
        lines, how = lines[1:], how[-1]
    return list(csv.DictReader(lines, delimiter=how))


def is_same(ours, theirs):
    ours, theirs = float(ours), float(theirs)
    return ours == theirs or math.isnan(ours) and math.isnan(theirs)


@pytest.mark.parametrize("name, how, n_records, x, metrics", EXPECTED, ids=[row[0] for row in EXPECTED])
def test_every_value_is_the_files_own(name, how, n_records, x, metrics):
    done = run("parse", "--records", SAMPLES / name)
    assert (done.returncode, done.stderr) == (0, "")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    rows = rows_of(SAMPLES / name, how)
    assert len(records) == len(rows) == n_records
    found = set()
    for record, row in zip(records, rows):
        assert x in record
        for metric, value in record.get("metrics", {}).items():
            assert is_same(value, row[metric]), (record["line"], metric)
            found.add(metric)
    assert metrics <= found
