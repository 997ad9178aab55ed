"""Ultralytics YOLO from a configuration, without weights: results.csv and its table on stdout."""

import os

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", WANDB_MODE="disabled")

import numpy
from PIL import Image
from ultralytics import YOLO

from truth import Truth

truth = Truth("ultralytics")
data = truth.dir.parent / "data"
generator = numpy.random.default_rng(0)
for part, n in (("train", 8), ("val", 4)):
    for kind in ("images", "labels"):
        (data / kind / part).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        picture = generator.integers(0, 60, (64, 64, 3), dtype="uint8")
        x, y = generator.integers(0, 40, 2)
        picture[y:y + 20, x:x + 20] = 255
        Image.fromarray(picture).save(data / "images" / part / f"{i}.png")
        (data / "labels" / part / f"{i}.txt").write_text(f"0 {(x + 10) / 64} {(y + 10) / 64} {20 / 64} {20 / 64}\n")
(data / "data.yaml").write_text(f"path: {data}\ntrain: images/train\nval: images/val\nnames: [box]\n")
rows, losses = [], []


def keep(trainer):
    """What is written to results.csv: the same callback point, the same values; and the losses unrounded."""
    losses.append((trainer.epoch + 1, [float(loss) for loss in trainer.tloss.values()]))
    rows.append((trainer.epoch + 1, {**trainer.label_loss_items(trainer.tloss), **trainer.metrics, **trainer.lr}))


model = YOLO("yolov8n.yaml")
model.add_callback("on_fit_epoch_end", keep)
model.train(data=str(data / "data.yaml"), epochs=3, imgsz=64, batch=4, device="cpu", workers=0, plots=False, amp=False,
            pretrained=False, project=str(truth.dir), name="train", exist_ok=True, seed=0)
curves = {}
for epoch, row in rows[:3]:
    for name, value in row.items():
        curves.setdefault(name, []).append((epoch, value))
truth.source("train/results.csv", "epoch", curves, digits="%.6g")
# The console's last frame of an epoch; the table of validation has no epoch of its own.
truth.source("stdout.log", "epoch", {name: [(epoch, row[column]) for epoch, row in losses[:3]] for column, name in
                                     enumerate(("box_loss", "cls_loss", "dfl_loss"))}, digits="%.4g",
             optional=["P", "R", "mAP50", "mAP50-95"])
# The console's names lack "train/" and "metrics/": they stay the trainer's own.
truth.result("train/results.csv", optional=["box_loss", "cls_loss", "dfl_loss"])
truth.write()
