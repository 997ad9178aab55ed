"""What a training with an adapter was, by what the framework itself says of it.

    model.fit(…, epochs=EPOCHS, callbacks=[ExperimentsCallback()])
    tell("epoch", {"loss": enumerate(history["loss"])}, totalEpochs=EPOCHS)

It is written to truth.json in the working directory. With EXPERIMENTS_TEST_WAIT in the environment each report waits until
the agent has acknowledged it, so that what the agent says before that is known; there is one before the training."""

import json
import math
import os
import pathlib

import experiments

EPOCHS = int(os.environ["EXPERIMENTS_TEST_EPOCHS"])

if "EXPERIMENTS_TEST_WAIT" in os.environ:
    report = experiments.report

    def report_and_wait(*arguments, **named):
        report(*arguments, **named)
        experiments.flush(timeout=60)

    experiments.report = report_and_wait
    experiments.report(epochs=EPOCHS)


IS_FIRST = os.environ.get("RANK", "0") == "0"


def tell(axis, curves, n_batches=None, **status):
    """The first process of several does. axis: of x. curves: {name: [(x, value), …]}. n_batches: that were trained on,
    where there are several in an epoch. status: members of the Result's status."""
    if not IS_FIRST:
        return
    points = {name: [[x, float(value)] for x, value in curve] for name, curve in curves.items()}
    points = {name: curve for name, curve in points.items() if curve}
    assert all(math.isfinite(value) for curve in points.values() for _, value in curve)
    truth = {"axis": axis, "curves": points, "n_batches": n_batches, "status": status}
    pathlib.Path("truth.json").write_text(json.dumps(truth))
