"""Trainers that write in every style there is, at speed: a random thing at a time."""

import os
import shutil

from faults.oracle import Oracle


class Writer:
    """Appends lines, some of them in two writes."""

    destroys = False  # is anything that the agent may not have read taken away?
    repeats = False   # is a line that was written before written again?

    def __init__(self, directory, rng):
        self.directory = directory
        self.path = directory / "metrics.jsonl"
        self.rng = rng
        self.oracle = Oracle(counts_repeats=self.repeats)
        self.generation = 0
        self.start()

    def start(self):
        self.file = open(self.path, "a")

    def act(self, settle):
        """Does the next thing. settle() returns when all that was written so far is published."""
        self.append()

    def close(self):
        self.file.close()

    def append(self):
        text = self.oracle.lines(self.rng.randint(1, 3))
        cut = self.rng.randint(0, len(text)) if self.rng.random() < 0.3 else 0
        for part in (text[:cut], text[cut:]):
            self.file.write(part)
            self.file.flush()

    def next_name(self):
        self.generation += 1
        return self.path.with_name(f"{self.path.name}.{self.generation}")


class Rotating(Writer):
    """Appends, and now and then does something to the file instead."""

    def act(self, settle):
        if self.oracle.values and self.rng.random() < 0.3:
            self.rotate(settle)
        else:
            self.append()


class Renaming(Rotating):
    """Renames the file, writes a little more to it, and creates another: logrotate's create."""

    def rotate(self, settle):
        self.path.rename(self.next_name())
        if self.rng.random() < 0.5:
            self.append()
        self.file.close()
        if self.rng.random() < 0.5:
            self.start()
        else:
            self.file = open(self.path, "w")


class Shifting(Rotating):
    """Renames metrics.jsonl.1 to .2, and so on, then metrics.jsonl to .1: logging.RotatingFileHandler."""

    def rotate(self, settle):
        self.file.close()
        self.generation += 1
        for n in range(self.generation, 1, -1):
            self.path.with_name(f"{self.path.name}.{n - 1}").rename(self.path.with_name(f"{self.path.name}.{n}"))
        self.path.rename(self.path.with_name(f"{self.path.name}.1"))
        self.start()


class CopyTruncating(Rotating):
    """Copies the file beside it and cuts it: logrotate's copytruncate."""

    def rotate(self, settle):
        shutil.copyfile(self.path, self.next_name())
        os.truncate(self.path, 0)


class Truncating(Rotating):
    """Cuts the file, and nothing is left of it."""

    destroys = True

    def rotate(self, settle):
        settle()
        os.truncate(self.path, 0)


class Deleting(Rotating):
    """Deletes the file, and creates another."""

    destroys = True

    def rotate(self, settle):
        settle()
        self.file.close()
        self.path.unlink()
        self.start()


class Swapping(Rotating):
    """The path is a link into the directory that ..data leads to, which is pointed elsewhere (as the kubelet
    does with what it projects); the old target is written a little more."""

    def start(self):
        target = self.directory / f"..{self.generation}"
        target.mkdir()
        self.file = open(target / self.path.name, "a")
        link = self.directory / "..data_tmp"
        link.symlink_to(target.name)
        link.rename(self.directory / "..data")
        if not self.path.is_symlink():
            self.path.symlink_to(f"..data/{self.path.name}")

    def rotate(self, settle):
        self.generation += 1
        old = self.file
        self.start()
        if self.rng.random() < 0.5:
            self.file, new = old, self.file
            self.append()
            self.file = new
        old.close()


class Rewriting(Writer):
    """Writes the whole file again, in place: half of it is there for a moment."""

    repeats = True

    def start(self):
        self.text = ""

    def close(self):
        pass

    def act(self, settle):
        self.text += self.oracle.lines(self.rng.randint(1, 3))
        self.write(self.path)

    def write(self, path):
        with open(path, "w") as file:
            cut = self.rng.randint(0, len(self.text))
            for part in (self.text[:cut], self.text[cut:]):
                file.write(part)
                file.flush()


class Replacing(Rewriting):
    """Writes the whole file beside it, and moves that into its place."""

    def act(self, settle):
        self.text += self.oracle.lines(self.rng.randint(1, 3))
        beside = self.path.with_name(f"{self.path.name}.tmp")
        self.write(beside)
        beside.replace(self.path)


WRITERS = {writer.__name__.lower(): writer for writer in (
    Writer, Renaming, Shifting, CopyTruncating, Truncating, Deleting, Swapping, Rewriting, Replacing)}
