#!/usr/bin/env python3
"""The picture in docs/trainers.md: what `experiments-agent parse` says of a real run of Lightning that writes
metrics.csv, TensorBoard events and a console, as SVG.

    make build && pip install lightning tensorboard scikit-learn pyte
    docs/images/trainers.py docs/images/trainers.svg"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = os.environ.get("EXPERIMENTS_AGENT", ROOT / "build/release/agent/experiments-agent")
COLUMNS = 130
TRAIN = """
import socket
socket.gethostname = lambda: "trainer"  # in the name of the event file
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning_model import fit
fit("run", [TQDMProgressBar()], [CSVLogger("run", "", ""), TensorBoardLogger("run", "", "")], epochs=6)
"""

sys.path.insert(0, str(ROOT / "demo"))
import picture  # noqa: E402


def session(work):
    """What is typed, and what is printed then."""
    (work / "run").mkdir()
    (work / "train.py").write_text(TRAIN)
    with open(work / "run/stdout.log", "wb") as log:
        subprocess.run([sys.executable, "train.py"], cwd=work, stdout=log, stderr=log, check=True,
                       env={**os.environ, "PYTHONPATH": str(ROOT / "tests/trainers/drivers"), "PYTHONUNBUFFERED": "1"})
    yield "python train.py >run/stdout.log 2>&1", ""
    yield "experiments-agent parse run", subprocess.run([AGENT, "parse", "run"], cwd=work, check=True, text=True,
                                                        stdout=subprocess.PIPE).stdout


def main(target):
    picture.COLUMNS = COLUMNS
    screen = picture.Screen(COLUMNS, picture.ROWS)
    stream = picture.pyte.Stream(screen)
    with tempfile.TemporaryDirectory() as work:
        for command, output in session(pathlib.Path(work)):
            stream.feed(f"\x1b[1m$ {command}\x1b[0m\r\n" + output.replace("\n", "\r\n"))
    target.write_text("\n".join(picture.svg(screen)) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
