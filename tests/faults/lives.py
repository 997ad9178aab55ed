"""What happens to a followed directory while agents come and go: generators that yield after each thing."""

import os
import shutil

from agent.talk import ENCODINGS
from faults.client import Client
from faults.oracle import Oracle, csv, keras


TURNS_MAX = 100  # of an agent, until it has acknowledged what it was told


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def short(world):
    """Lines are there, more come, one of them in halves; the file is rotated by name while its old writer
    goes on a little; the last line has no newline."""
    world.oracle = oracle = Oracle()
    path = world.dir / "metrics.jsonl"
    path.write_text(oracle.lines(3))
    yield
    append(path, oracle.lines(2))
    yield
    line = oracle.text(1)
    append(path, line[:9])
    yield
    append(path, line[9:])
    oracle.count(1)
    path.rename(world.dir / "metrics.jsonl.1")
    append(world.dir / "metrics.jsonl.1", oracle.lines(1))
    path.write_text(oracle.lines(3))
    yield
    world.is_whole = False
    append(path, oracle.lines(2)[:-1])


def appended(world):
    """Lines are there, and more come."""
    world.oracle = oracle = Oracle()
    path = world.dir / "metrics.jsonl"
    path.write_text(oracle.lines(3))
    yield
    append(path, oracle.lines(2))
    yield
    line = oracle.text(1)
    append(path, line[:9])
    yield
    append(path, line[9:])
    oracle.count(1)
    yield
    world.is_whole = False
    append(path, oracle.lines(3)[:-1])


def started(world, **kwargs):
    world.oracle = Oracle(**kwargs)
    path = world.dir / "metrics.jsonl"
    path.write_text(world.oracle.header + world.oracle.lines(3))
    return world.oracle, path


def renamed(world):
    """The file is renamed, written on, and another is made: in one go."""
    oracle, path = started(world)
    yield
    with open(path, "a") as old:
        path.rename(world.dir / "metrics.jsonl.1")
        old.write(oracle.lines(2))
    append(path, oracle.lines(2))
    yield
    append(path, oracle.lines(1))


def shifted(world):
    """Two generations at once: .1 becomes .2, the file becomes .1."""
    oracle, path = started(world)
    yield
    path.rename(world.dir / "metrics.jsonl.1")
    append(path, oracle.lines(2))
    (world.dir / "metrics.jsonl.1").rename(world.dir / "metrics.jsonl.2")
    path.rename(world.dir / "metrics.jsonl.1")
    append(path, oracle.lines(2))
    yield
    append(path, oracle.lines(1))


def copied_and_cut(world):
    """The file is copied beside itself, cut, and written on: copytruncate."""
    oracle, path = started(world)
    yield
    append(path, oracle.lines(1))
    shutil.copyfile(path, world.dir / "metrics.jsonl.1")
    os.truncate(path, 0)
    append(path, oracle.lines(2))
    yield
    append(path, oracle.lines(1))


def replaced(world):
    """The whole file is written beside it and moved into its place."""
    oracle, path = started(world, counts_repeats=True)
    text = path.read_text()
    for _ in range(2):
        yield
        text += oracle.lines(2)
        beside = world.dir / "metrics.jsonl.tmp"
        beside.write_text(text)
        beside.replace(path)


def rewritten(world):
    """The whole file is written again in place."""
    oracle, path = started(world, counts_repeats=True)
    text = path.read_text()
    for _ in range(2):
        yield
        text += oracle.lines(2)
        path.write_text(text)


def swapped(world):
    """The path is a link, which is pointed elsewhere; the old target is written once more."""
    world.oracle = oracle = Oracle()
    for n in range(3):
        (world.dir / f"..{n}").mkdir()
        (world.dir / "..tmp").symlink_to(f"..{n}")
        (world.dir / "..tmp").rename(world.dir / "..data")
        if n == 0:
            (world.dir / "metrics.jsonl").symlink_to("..data/metrics.jsonl")
        else:
            append(world.dir / f"..{n - 1}" / "metrics.jsonl", oracle.lines(1))
        append(world.dir / f"..{n}" / "metrics.jsonl", oracle.lines(2))
        yield


def table(world):
    """The same in CSV, whose header has to be known to go on, in a directory that comes late."""
    world.oracle = oracle = Oracle(csv)
    path = world.dir / "run" / "log.csv"
    yield
    path.parent.mkdir()
    path.write_text(oracle.header + oracle.lines(3))
    yield
    append(path, oracle.lines(2))
    yield
    append(path, oracle.lines(2))


def printed(world):
    """What Keras prints: a record is of two lines, of which the first may be all there is."""
    world.oracle = oracle = Oracle(keras, revise_every=0)
    path = world.dir / "train.log"
    path.write_text(oracle.lines(3))
    yield
    text = oracle.text(1)
    append(path, text[:text.index("\n") + 1])
    yield
    append(path, text[text.index("\n") + 1:])
    oracle.count(1)
    yield
    append(path, oracle.lines(2))


def reporters(world):
    world.oracle = Oracle(revise_every=0)
    world.flags = ["--socket", "agent.sock"]
    return world.oracle, [Client(world.base, name, ENCODINGS[name]) for name in ENCODINGS]


def reported(world):
    """Two clients of the socket report, one in either encoding; the last report comes with the agent's end."""
    oracle, clients = reporters(world)
    yield
    for n in (2, 1, 2):
        for client in clients:
            client.say(oracle, n)
        yield
        yield from told(clients)
    yield from said_at_the_end(world, clients)


def reported_late(world):
    """The first report comes with the agent's end."""
    oracle, clients = reporters(world)
    yield
    for client in clients:
        client.connect()
    yield
    yield from said_at_the_end(world, clients)


def said_at_the_end(world, clients):
    world.ask_to_end()
    clients[0].say(world.oracle, 1)  # one alone: whose comes last is the latest
    yield
    yield from told(clients)


def told(clients):
    """Until each has heard that all it said is kept."""
    for _ in range(TURNS_MAX):
        if all([client.go_on() for client in clients]):
            return
        yield
    assert False, "what was said is not acknowledged"


LIVES = {life.__name__: life for life in (
    appended, short, renamed, shifted, copied_and_cut, replaced, rewritten, swapped, table, printed, reported, reported_late)}
SHORT_LIVES = ["appended", "short", "reported", "reported_late"]
