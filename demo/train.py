#!/usr/bin/env python3
"""A trainer as there are many: scikit-learn's multi-layer perceptron on handwritten digits, an epoch
at a time. It writes lines to a metrics file, and knows nothing of who reads them."""

import argparse
import json
import warnings

import numpy
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore", ConvergenceWarning)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.01, help="learning rate")
    parser.add_argument("--hidden", type=int, default=32, help="hidden units")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--metrics", required=True, help="metrics file to write")
    parser.add_argument("--history", help="where to keep the same numbers once more, at the end")
    options = parser.parse_args()

    digits = load_digits()
    x_train, x_val, y_train, y_val = train_test_split(
        digits.data / 16, digits.target, test_size=0.3, random_state=0, stratify=digits.target)
    model = MLPClassifier(hidden_layer_sizes=(options.hidden,), solver="sgd", learning_rate_init=options.lr,
                          batch_size=1, random_state=0)
    shuffle = numpy.random.default_rng(0)
    history = []
    with open(options.metrics, "w", buffering=1) as metrics:
        for epoch in range(1, options.epochs + 1):
            order = shuffle.permutation(len(x_train))
            model.partial_fit(x_train[order], y_train[order], classes=digits.target_names)
            history.append({
                "epoch": epoch,
                "total_epochs": options.epochs,
                "train_loss": float(model.loss_),
                "val_loss": float(log_loss(y_val, model.predict_proba(x_val))),
                "val_acc": float(model.score(x_val, y_val)),
            })
            print(json.dumps(history[-1]), file=metrics)
        print(json.dumps({"end": True}), file=metrics)
    if options.history:
        with open(options.history, "w") as file:
            json.dump(history, file)


if __name__ == "__main__":
    main()
