"""What is hard on an agent's memory. Each load writes into a directory that an agent follows and returns how many
records (status.agent.accepted) and rejects come of it."""

import json

MB = 1_000_000


def write_lines(path, head, line, n_bytes):
    """head, then line(number) up to n_bytes; returns how many."""
    written = number = 0
    with open(path, "w") as file:
        file.write(head)
        while written < n_bytes:
            number += 1
            written += file.write(line(number))
    return number


def json_lines(directory, n_bytes=100 * MB):
    def line(n):
        return (f'{{"epoch": {n}, "train_loss": 0.{n % 9973}, "val_loss": 0.{n % 9967}, "val_acc": 0.{n % 9949}, "lr": 0.001, '
                f'"grad_norm": {n % 13}.{n % 9941}}}\n')

    return write_lines(directory / "metrics.jsonl", "", line, n_bytes), 0


def text_lines(directory, n_bytes=30 * MB):
    def line(n):
        return f"2026-01-02 03:04:05,678 INFO Epoch {n // 1000}: step {n} loss=0.{n % 9973} acc=0.{n % 9967} val_loss=0.{n % 9949}\n"

    return write_lines(directory / "train.log", "", line, n_bytes), 0


def many_metrics_and_epochs(directory):
    """More metrics than are kept, over more epochs than are kept."""
    with open(directory / "metrics.jsonl", "w") as file:
        for epoch in range(1, 20_001):
            file.write(json.dumps({"epoch": epoch, **{f"metric_{i}": epoch / (i + 7) for i in range(40)}}) + "\n")
    return 20_000, 0


def million_names(directory):
    with open(directory / "metrics.jsonl", "w") as file:
        for epoch in range(1, 10_001):
            file.write(json.dumps({"epoch": epoch, **{f"metric_{epoch}_{i}": i for i in range(100)}}) + "\n")
    return 10_000, 0


def million_names_of_text(directory):
    with open(directory / "train.log", "w") as file:
        for epoch in range(1, 100_001):
            file.write(f"epoch {epoch}: " + " ".join(f"loss_{epoch}_{i}=0.{i}5" for i in range(10)) + "\n")
    return 100_000, 0


def long_line(directory):
    with open(directory / "metrics.jsonl", "w") as file:
        file.write('{"epoch": 1, "loss": 0.5}\n{"a": "')
        for _ in range(100):
            file.write(MB * "x")
        file.write('"}\n{"epoch": 2, "loss": 0.4}\n')
    return 2, 1


def long_line_of_text(directory):
    with open(directory / "train.log", "w") as file:
        file.write("epoch 1: loss=0.5\n")
        for _ in range(100):
            file.write(MB // 4 * "x y ")
        file.write("\nepoch 2: loss=0.4\n")
    return 2, 1


ALL = [json_lines, text_lines, many_metrics_and_epochs, million_names, million_names_of_text, long_line,
       long_line_of_text]
