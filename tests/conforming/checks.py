"""What is looked at in a client. Each check is one run of it; its docstring is what people read."""

import math
import socket
import time

from conforming import vectors
from conforming.agent_role import NUMBERS, Failure, encode

CHECKS = []  # (function, name, section of PROTOCOL.md)
FIRST = "hello-and-numbers"  # all others begin as this one does
MANY = 10000  # more than sockets and pipes have room for


def check(section):
    def add(function):
        CHECKS.append((function, function.__name__.replace("_", "-"), section))
        return function
    return add


def lines(n, first=1):
    return [{"epoch": i, "loss": 1 / i} for i in range(first, first + n)]


@check(NUMBERS)
def hello_and_numbers(trial):
    """says hello first, numbers what it reports from 1, and exits with 0 when all is acknowledged"""
    trial.listen()
    trial.feed(lines(5))
    peer = trial.accept()
    peer.greet()
    peer.take(5)
    if min(trial.ledger) != 1:
        raise Failure("numbers from 1", f"the first is {min(trial.ledger)}")
    trial.finish(peer)


@check("Messages")
def names_and_values(trial):
    """reports names and values as they are: escapes, every character, NaN, infinities, steps"""
    trial.listen()
    trial.feed([{"epoch": 0.5, "step": 10, "val/acc": 0.81, 'a "b" \\ c': -1.5, "größe →😀": 1e-300},
                {"epoch": 1, "loss": math.nan, "up": math.inf, "down": -math.inf},
                {"step": 9007199254740991, "big": 1.7976931348623157e308, "small": 5e-324, "third": 1 / 3},
                {"epoch": 0, "zero": 0},
                {"epoch": 2, "0": 1}])  # no list, in languages where the two are alike
    peer = trial.accept()
    peer.greet()
    peer.take(5)
    trial.finish(peer)


@check(NUMBERS)
def acknowledged_late(trial):
    """goes on while nothing is acknowledged, and waits for it at its end"""
    trial.listen()
    trial.feed(lines(200), end=True)
    peer = trial.accept()
    peer.greet()
    peer.take(200)
    trial.finish(peer)


@check(NUMBERS)
def closed_before_the_end(trial):
    """sends again what is not acknowledged when the connection closes, under the same id and numbers"""
    trial.listen()
    trial.feed(lines(10), end=True)
    peer = trial.accept()
    peer.greet()
    peer.take(10)
    first = set(trial.ledger)
    peer.close()
    peer = trial.accept()
    peer.greet()
    came = set()
    while not first <= came:
        message = peer.hear()
        if message is None:
            raise Failure(f"all of {sorted(first)} again, which were not acknowledged", f"came: {sorted(came)}")
        came |= {said["number"] for said in message.values() if "number" in said}
        if max(came, default=0) >= max(first) and not first <= came:
            raise Failure(f"all of {sorted(first)} again, which were not acknowledged", f"came: {sorted(came)}")
    trial.finish(peer)


@check(NUMBERS)
def not_what_is_kept(trial):
    """sends nothing again that was acknowledged before the connection closed"""
    trial.listen()
    trial.feed(lines(10))
    peer = trial.accept()
    peer.greet()
    peer.take(10)
    peer.keep()
    peer.say({"stop": {"reason": "read so far"}})
    trial.wait_for_line("stop: read so far")
    trial.kept_for_certain = trial.kept
    peer.close()
    trial.feed(lines(5, first=11))
    peer = trial.accept()
    peer.greet(kept=trial.kept)
    peer.take(15)
    trial.finish(peer)


@check(NUMBERS)
def kept_in_the_welcome(trial):
    """forgets what the welcome acknowledges, and sends what follows it"""
    trial.listen()
    trial.feed(lines(10))
    peer = trial.accept()
    peer.greet()
    peer.take(10)
    last = max(trial.ledger)
    peer.close()
    trial.kept = sorted(trial.reports)[5]
    trial.feed(lines(1, first=11))
    peer = trial.accept()
    peer.greet(kept=trial.kept, stop={"reason": "read so far"})
    trial.wait_for_line("stop: read so far")
    while peer.last < last:  # what was on its way before the welcome was read may be older
        if peer.hear() is None:
            raise Failure(f"what follows {trial.kept}, up to {last}", f"came: up to {peer.last}")
    trial.kept_for_certain = trial.kept
    peer.close()
    trial.feed(lines(1, first=12))
    peer = trial.accept()
    peer.greet(kept=trial.kept, stop={"reason": "read so far"})
    peer.take(12)
    trial.finish(peer)


@check(NUMBERS)
def cut_off(trial):
    """begins anew, with a hello and whole messages, when the connection closes in the middle of one"""
    trial.listen()
    trial.feed(lines(10))
    peer = trial.accept()
    while not peer.has_hello:
        if peer.hear(1) is None:
            raise Failure("a hello", f"the client closed{trial.last_words()}")
    peer.say({"welcome": {"version": 1}})
    for _ in range(10):
        peer.receive(1)
    peer.close()
    peer = trial.accept()
    peer.greet()
    peer.take(10)
    trial.finish(peer)


@check("Where the agent is")
def before_the_agent(trial):
    """goes on without an agent, and catches up when there is one"""
    trial.feed(lines(10), end=True)
    time.sleep(0.3)
    trial.listen()
    peer = trial.accept()
    peer.greet()
    peer.take(10)
    trial.finish(peer)


@check("Where the agent is")
def restarted(trial):
    """comes again to an agent that was killed: its socket is stale first, then gone, then there"""
    trial.listen()
    trial.feed(lines(5))
    peer = trial.accept()
    peer.greet()
    peer.take(5)
    peer.keep()
    trial.vanish()
    peer.close()
    trial.feed(lines(5, first=6))
    time.sleep(1.2)
    trial.tidy_up()
    trial.feed(lines(5, first=11))
    time.sleep(1.2)
    trial.listen()
    peer = trial.accept()
    peer.greet(kept=trial.kept)
    peer.take(15)
    trial.finish(peer)


@check("Where the agent is")
def once_a_second(trial):
    """connects at most once a second when it is turned down each time"""
    trial.listen()
    trial.feed(lines(3))
    times = []
    for _ in range(5):
        peer = trial.accept()
        times.append(time.monotonic())
        peer.close()
    # The first try again may come at once; half is left for a machine that is busy.
    if times[-1] - times[1] < 1.5:
        raise Failure("at most one connection a second", f"came: 4 within {times[-1] - times[1]:.2f} s")
    peer = trial.accept()
    peer.greet()
    peer.take(3)
    trial.finish(peer)


@check(NUMBERS)
def rejected(trial):
    """goes on when a message is rejected; it is dealt with, and is not sent again"""
    trial.listen()
    trial.feed(lines(3))
    peer = trial.accept()
    peer.greet()
    peer.take(3)
    peer.say({"rejected": {"number": sorted(trial.reports)[1], "code": "invalid-value", "message": "report.epoch: expected less"}},
             {"rejected": {"code": "of-a-later-version", "message": "something"}})
    peer.keep()
    peer.say({"stop": {"reason": "read so far"}})
    trial.wait_for_line("stop: read so far")
    trial.kept_for_certain = trial.kept
    peer.close()
    trial.feed(lines(2, first=4))
    peer = trial.accept()
    peer.greet(kept=trial.kept)
    peer.take(5)
    trial.finish(peer)


@check("Versions")
def unknown_fields_and_messages(trial):
    """skips fields and messages that it does not know"""
    trial.listen()
    trial.feed(lines(3))
    peer = trial.accept()
    peer.hear_hello()
    peer.send(b"".join(step.value for vector in vectors.read_all("from-agent") if vector.name.startswith("unknown-")
                       for step in vector.steps_in(peer.reader.encoding) if step.action == "send"))
    peer.take(3)
    peer.keep()
    peer.say({"stop": {"reason": "read so far"}})
    trial.wait_for_line("stop: read so far")
    trial.finish(peer)


@check("From the agent")
def stop_in_the_welcome(trial):
    """learns of a stop that was requested before"""
    trial.listen()
    trial.feed(lines(1))
    peer = trial.accept()
    peer.greet(stop={"reason": "schlechter als der Median: größer", "deadline": 2000000000.5})
    trial.wait_for_line("stop: schlechter als der Median: größer")
    peer.take(1)
    trial.finish(peer)


@check("From the agent")
def stop_later(trial):
    """learns of a stop while it trains, also of one without a reason, and once more with a deadline"""
    trial.listen()
    trial.feed(lines(1))
    peer = trial.accept()
    peer.greet()
    peer.take(1)
    peer.keep()
    peer.say({"stop": {}})
    with trial.news:
        if not trial.news.wait_for(lambda: any(line.rstrip() == "stop:" for line in trial.lines), trial.patience):
            raise Failure("the line 'stop: ' on the client's standard output", f"came: {trial.lines!r}")
    peer.say({"stop": {"reason": "", "deadline": 2000000000}})
    trial.feed(lines(1, first=2))
    peer.take(2)
    trial.finish(peer)


@check("Framing")
def answers_in_pieces(trial):
    """understands answers byte by byte, and several at once"""
    trial.listen()
    trial.feed(lines(5))
    peer = trial.accept()
    peer.hear_hello()
    encoding = peer.reader.encoding
    welcome = {"version": 1, "agent": "x", "job": "größe", "result": "x"}
    peer.send(encode("AgentMessage", encoding, {"welcome": welcome}), at_once=1)
    peer.take(5)
    trial.kept = max(trial.ledger)
    kept = b"".join(encode("AgentMessage", encoding, {"kept": {"number": number}}) for number in sorted(trial.ledger))
    stop = encode("AgentMessage", encoding, {"stop": {"reason": "größer"}})
    peer.send(kept + stop[:-3])
    peer.send(stop[-3:], at_once=1)
    trial.wait_for_line("stop: größer")
    trial.kept_for_certain = trial.kept
    trial.finish(peer)


@check("Framing")
def read_in_pieces(trial):
    """sends whole messages to an agent that reads a few bytes at a time"""
    trial.listen()
    trial.feed(lines(2000))
    peer = trial.accept()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.greet()
    peer.take(100, at_once=7)
    while len(trial.reports) < 2000:
        peer.keep()
        peer.take(min(2000, len(trial.reports) + 50), at_once=1000)
    trial.finish(peer)


@check("Where the agent is")
def agent_does_not_read(trial):
    """never lets the training wait for an agent that does not read; what it has no room for it may leave out"""
    trial.listen()
    trial.feed(lines(3))
    peer = trial.accept()
    peer.greet()
    trial.feed(lines(MANY, first=4), end=True)
    take_to_the_end(trial, peer)


@check("Where the agent is")
def agent_does_not_accept(trial):
    """never lets the training wait for an agent that does not accept connections"""
    trial.listen(backlog=0)
    try:
        while True:
            filler = socket.socket(socket.AF_UNIX)
            trial.fillers.append(filler)
            filler.setblocking(False)
            filler.connect(trial.path)
    except BlockingIOError:
        pass
    trial.feed(lines(MANY), end=True)
    for filler in trial.fillers:
        filler.close()
    peer = trial.accept()
    while peer.hear() is None:  # those that only filled the queue
        peer = trial.accept()
    peer.say({"welcome": {"version": 1}})
    take_to_the_end(trial, peer)


def take_to_the_end(trial, peer):
    """All that still comes is acknowledged as it comes."""
    peer.awaited = "a client that exits, since its input ended and all is acknowledged"
    while peer.hear() is not None:
        peer.keep()
    code = trial.wait_for_exit()
    if code != 0 or not trial.reports:
        raise Failure("reports, and exit status 0 since all that came is acknowledged",
                      f"{len(trial.reports)} reports, exit status {code}{trial.last_words()}")
    trial.compare(may_drop=True)


@check("Limits and fairness")
def turned_away(trial):
    """comes again when it is turned away, which is told in JSON whatever it speaks"""
    trial.listen()
    trial.feed(lines(3), end=True)
    peer = trial.accept()
    peer.hear_hello()  # the agent need not read it; a client that is still writing may not see what it is told
    peer.send(encode("AgentMessage", "json", {"rejected": {"code": "too-many-clients", "message": "expected fewer"}}))
    peer.close()
    peer = trial.accept()
    peer.greet()
    peer.take(3)
    trial.finish(peer)


def refuse_hello(peer):
    """What came with the hello is rejected with its number, too, as an agent does; it is not dealt with."""
    numbers = [said["number"] for message, _ in peer.waiting for said in message.values() if "number" in said]
    peer.say({"rejected": {"code": "client-id-taken", "message": "hello.client: expected an id of its own"}},
             *({"rejected": {"number": number, "code": "hello-expected", "message": "expected a hello"}} for number in numbers))
    peer.awaited = "a client that closes the connection, since its id is taken"
    while peer.hear() is not None:
        pass
    peer.close()


@check(NUMBERS)
def id_taken(trial):
    """tries again when its id is taken, under the same one while something that it sent is not acknowledged"""
    trial.listen()
    trial.feed(lines(3), end=True)
    peer = trial.accept()
    peer.greet()
    peer.take(3)
    peer.close()
    peer = trial.accept()
    peer.hear_hello()
    refuse_hello(peer)
    peer = trial.accept()
    peer.greet()
    while peer.last < max(trial.reports):
        if peer.hear() is None:
            raise Failure(f"all again up to {max(trial.reports)}, which were not acknowledged", f"came: up to {peer.last}")
    trial.finish(peer)


@check("Versions")
def version_not_spoken(trial):
    """keeps quiet when its version is not spoken; the training goes on, and its end does not wait"""
    trial.listen()
    trial.feed(lines(3))
    peer = trial.accept()
    peer.hear_hello()
    peer.say({"rejected": {"code": "version-not-spoken", "message": "hello.version: expected 2"}})
    trial.feed(lines(MANY, first=4), end=True)
    peer.awaited = "a client that exits, since its input ended and its version is not spoken"
    while peer.hear() is not None:
        pass
    peer.close()
    end = time.monotonic() + trial.patience
    while trial.process.poll() is None and time.monotonic() < end:
        try:
            peer = trial.accept()
        except Failure:
            continue
        peer.hear_hello()
        peer.say({"rejected": {"code": "version-not-spoken", "message": "hello.version: expected 2"}})
        while peer.hear() is not None:
            pass
    trial.wait_for_exit()
