"""The conversation with the agent, which the tests play: what is sent, kept, sent again and dropped."""

import logging
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from agent.harness import clean_environment
from experiments import Reporter, connection

FULL = 300_000  # bytes, more than a socket holds that nobody reads


def numbers(messages):
    return [fields["number"] for _, fields in messages]


def test_hello_comes_first_and_a_report_is_one_message(listener, reporter):
    before = time.time()
    reporter.report(epoch=3, step=900, loss=0.21, metrics={"val/acc": 0.9}, epochs=90, output="/out", checkpoint="/out/3")
    (_, hello), (name, report) = listener.accept().hear(2)
    assert hello["pid"] == os.getpid() and hello["rank"] == 0 and len(hello["client"]) == 16 and hello["program"]
    assert before - 0.001 <= report.pop("time") <= time.time()
    assert (name, report) == ("report", {
        "number": 1, "epoch": 3, "step": 900, "metrics": {"loss": 0.21, "val/acc": 0.9}, "totalEpochs": 90,
        "outputPath": "/out", "checkpoint": "/out/3"})


def test_each_report_is_one_send(listener, reporter, monkeypatch):
    reporter.report(epoch=0, loss=1)
    sends = []

    class Counting:
        def __init__(self, inner):
            self.inner = inner

        def send(self, *arguments):
            sends.append(arguments)
            return self.inner.send(*arguments)

        def __getattr__(self, name):
            return getattr(self.inner, name)

    inner = reporter._delivery._connection
    inner._socket = Counting(inner._socket)
    for epoch in range(1, 101):
        reporter.report(epoch=epoch, loss=1)
    assert len(sends) == 100
    assert numbers(listener.accept().hear(102)[1:]) == list(range(1, 102))


@pytest.mark.parametrize("arguments, fields", [
    ({"time": 12.5, "loss": 1}, {"time": 12.5, "metrics": {"loss": 1}}),
    ({"epoch": 2.5}, {"epoch": 2.5}),
    ({"checkpoint": "/c"}, {"checkpoint": "/c"}),
    ({"epoch": -1, "loss": 1}, {"metrics": {"loss": 1}}),
    ({"epoch": True, "loss": 1}, {"epoch": 1, "metrics": {"loss": 1}}),
])
def test_fields(listener, reporter, arguments, fields):
    reporter.report(**arguments)
    [_, (_, report)] = listener.accept().hear(2)
    if "time" not in fields:
        del report["time"]
    assert report == {"number": 1, **fields}


def test_what_says_nothing_is_not_sent(listener, reporter):
    reporter.report()
    reporter.report(time=3)
    reporter.report(loss="x")
    reporter.parameters({})
    reporter.report(loss=1)
    assert numbers(listener.accept().hear(2)[1:]) == [1]


def test_what_is_acknowledged_is_forgotten_and_the_rest_sent_again_with_the_same_id(listener, reporter, clock):
    for epoch in range(5):
        reporter.report(epoch=epoch)
    hello, *reports = listener.accept().hear(6)
    listener.welcome()
    listener.kept(2)
    listener.kept(3)
    assert not reporter.flush(0)  # reads
    listener.hang_up()
    reporter.report(epoch=5)  # notices, and may try again only in a second
    clock.now += 1
    reporter.report(epoch=6)
    again, *reports = listener.accept().hear(5)
    assert again == hello and numbers(reports) == [4, 5, 6, 7]
    assert [fields["epoch"] for _, fields in reports] == [3, 4, 5, 6]
    listener.kept(7)
    assert reporter.flush(60)
    assert reporter.dropped() == reporter.unconfirmed() == 0


def test_acknowledgements_that_were_not_read_count_when_the_agent_goes(listener, reporter, clock):
    for epoch in range(5):
        reporter.report(epoch=epoch)
    listener.accept().hear(6)
    listener.welcome()
    listener.kept(3)
    listener.hang_up()
    reporter.report(epoch=5)
    clock.now += 1
    reporter.report(epoch=6)
    assert numbers(listener.accept().hear(5)[1:]) == [4, 5, 6, 7]


def test_the_welcome_acknowledges_what_an_earlier_connection_brought(listener, reporter, clock):
    for epoch in range(3):
        reporter.report(epoch=epoch)
    listener.accept().hear(4)
    listener.hang_up()
    clock.now += 1
    reporter.report(epoch=3)
    clock.now += 1
    reporter.report(epoch=4)
    listener.accept().hear(1)
    listener.welcome(kept=5)
    assert reporter.flush(60)


def test_it_tries_to_connect_once_a_second(listener, reporter, clock):
    listener.close()
    reporter.report(epoch=0)
    listener.listen()
    clock.now += 0.9
    for epoch in range(1, 100):
        reporter.report(epoch=epoch)
    clock.now += 0.1
    reporter.report(epoch=100)
    assert numbers(listener.accept().hear(102)[1:]) == list(range(1, 102))


def test_what_the_socket_does_not_take_is_sent_later_in_whole_lines(listener, reporter, clock):
    value = {"n" * 1000: 1.0}
    n = 2 * FULL // 1000
    for epoch in range(n):
        reporter.report(epoch=epoch, metrics=value)
    heard = []
    thread = threading.Thread(target=lambda: heard.extend(listener.accept().hear(n + 1)))
    thread.start()
    while thread.is_alive():
        clock.now += 1
        reporter.flush(0)
    assert numbers(heard[1:]) == list(range(1, n + 1))


def test_a_full_buffer_drops_the_oldest(here, listener, clock):
    listener.close()
    reporter = Reporter(listener.path, buffer_bytes=1000)
    for epoch in range(100):
        reporter.report(epoch=epoch)
    assert 80 < reporter.dropped() < 100
    listener.listen()
    clock.now += 1
    reporter.report(epoch=100)
    dropped = reporter.dropped()
    assert numbers(listener.accept().hear(101 - dropped + 1)[1:]) == list(range(dropped + 1, 102))
    listener.kept(101)
    assert reporter.flush(60)
    assert (reporter.dropped(), reporter.unconfirmed()) == (dropped, 0)


def test_what_was_sent_and_forgotten_is_not_counted_as_dropped_until_that_is_known(listener, clock):
    reporter = Reporter(listener.path, buffer_bytes=1000)
    for epoch in range(100):
        reporter.report(epoch=epoch)
    listener.accept().hear(101)
    unconfirmed = reporter.unconfirmed()
    assert 80 < unconfirmed < 100 and reporter.dropped() == 0
    listener.kept(50)
    reporter.flush(0)
    assert reporter.unconfirmed() == unconfirmed - 50
    listener.hang_up()
    reporter.flush(0)
    clock.now += 1
    reporter.flush(0)
    listener.accept().hear(1 + 100 - unconfirmed)
    listener.welcome(kept=60)
    reporter.flush(0)
    assert reporter.unconfirmed() == 0 and reporter.dropped() == unconfirmed - 60
    listener.kept(100)
    assert reporter.flush(60)


def test_a_message_larger_than_the_buffer_is_tried_all_the_same(listener):
    reporter = Reporter(listener.path, buffer_bytes=10)
    reporter.report(epoch=1)
    assert numbers(listener.accept().hear(2)[1:]) == [1]


def test_a_stop(listener, reporter):
    assert not reporter.should_stop() and reporter.stop_reason() is None and reporter.stop_deadline() is None
    listener.accept().hear(1)
    listener.welcome()
    assert not reporter.should_stop()
    listener.say({"stop": {"reason": "worse than the median"}})
    assert reporter.should_stop() and reporter.stop_reason() == "worse than the median"
    listener.say({"stop": {"reason": "preempted", "deadline": 12.5}})
    assert reporter.should_stop() and reporter.stop_deadline() == 12.5 and reporter.stop_reason() == "preempted"


def test_a_stop_in_the_welcome_and_without_a_reason(listener, reporter):
    reporter.should_stop()
    listener.accept().hear(1)
    listener.welcome(stop={})
    assert reporter.should_stop() and reporter.stop_reason() == ""


def test_what_is_not_known_is_skipped(listener, reporter):
    reporter.report(epoch=1)
    listener.accept().hear(2)
    listener.client.sendall(b'nonsense\n[]\n{}\n{"later": 3}\n{"later": {"a": 1}}\n{"kept": 1}\n{"a": {}, "b": {}}\n{"kept": {"number": 1')
    reporter.flush(0)
    listener.client.sendall(b', "more": true}}\n')
    assert reporter.flush(60)


def test_what_is_rejected_is_logged_once(listener, reporter, caplog):
    reporter.report(epoch=1)
    listener.accept().hear(2)
    for number in (1, 2):
        listener.say({"rejected": {"number": number, "code": "invalid-value", "message": "epoch: …"}})
    listener.kept(1)
    assert reporter.flush(60)
    assert [record.getMessage() for record in caplog.records] == ["experiments: the agent did not take a message: invalid-value: epoch: …"]


def test_an_agent_of_another_version_is_left_alone(listener, reporter, clock):
    reporter.report(epoch=1)
    listener.accept().hear(2)
    listener.say({"rejected": {"code": "version-not-spoken", "message": "2 and 3 are"}})
    reporter.should_stop()
    assert listener.hear_all() == []
    clock.now += 10
    reporter.report(epoch=2)
    listener.listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_an_id_that_is_taken_is_tried_again(listener, reporter, clock):
    reporter.report(epoch=1)
    listener.accept().hear(2)
    listener.say({"rejected": {"code": "client-id-taken"}})
    reporter.should_stop()
    assert listener.hear_all() == []
    clock.now += 1
    reporter.report(epoch=2)
    assert numbers(listener.accept().hear(3)[1:]) == [1, 2]


def test_a_program_that_dies_of_sigpipe_does_not(listener, reporter):
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        reporter.report(epoch=1)
        listener.accept().hang_up()
        reporter.report(epoch=2)
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_descriptors_that_were_closed_under_it(here, listener, reporter, clock):
    """As daemons do; the number is another file's then, which is neither written nor closed."""
    reporter.report(epoch=1)
    listener.accept().hear(2)
    fd = reporter._delivery._connection._socket.fileno()
    with open(here / "other", "wb", buffering=0) as other:
        os.dup2(other.fileno(), fd)
        reporter.report(epoch=2)
        os.fstat(fd)
        os.close(fd)
    assert (here / "other").read_bytes() == b""
    clock.now += 1
    reporter.report(epoch=3)
    assert numbers(listener.accept().hear(4)[1:]) == [1, 2, 3]


def test_an_exception_of_a_signal_in_the_middle_does_not_tear_a_line(listener, reporter, clock):
    """KeyboardInterrupt after the bytes were sent and before that was noted."""
    reporter.report(epoch=1)

    class Interrupted:
        def __init__(self, inner):
            self.inner = inner

        def send(self, *arguments):
            self.inner.send(*arguments)
            raise KeyboardInterrupt

        def __getattr__(self, name):
            return getattr(self.inner, name)

    inner = reporter._delivery._connection
    inner._socket = Interrupted(inner._socket)
    with pytest.raises(KeyboardInterrupt):
        reporter.report(epoch=2)
    assert numbers(listener.accept().hear_all()[1:]) == [1, 2]
    clock.now += 1
    reporter.report(epoch=3)
    assert numbers(listener.accept().hear(4)[1:]) == [1, 2, 3]


@pytest.mark.parametrize("call", [lambda reporter: reporter.report(epoch=2), Reporter.should_stop, lambda reporter: reporter.flush(0)])
def test_an_exception_of_a_signal_at_the_lock_does_not_leave_it_locked(listener, reporter, call):
    """KeyboardInterrupt right after the lock was taken."""
    class Interrupted(dict):
        def setdefault(self, *arguments):
            holder = super().setdefault(*arguments)
            if not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt
            return holder

    interrupted = []
    reporter.report(epoch=1)
    reporter._delivery._holder = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        call(reporter)
    reporter.report(epoch=3)
    assert [fields["epoch"] for _, fields in listener.accept().hear(3)[1:]] == [1, 3]


def test_a_path_that_fits_in_no_socket_address_is_told(caplog):
    reporter = Reporter("/tmp/" + "x" * 103)
    reporter.report(epoch=1)
    assert "108 bytes" in caplog.text and "107" in caplog.text
    assert not reporter.should_stop() and not reporter.flush(0)


def test_a_path_that_does_not_fit_leaves_the_metrics_file(here, clock, monkeypatch):
    directory = here / ("x" * 100)
    directory.mkdir()
    monkeypatch.setenv("EXPERIMENTS_DIR", str(directory))
    reporter = Reporter()
    reporter.report(epoch=1)
    clock.now += 10
    reporter.report(epoch=2)
    assert reporter.flush(0) and len((directory / "reported.jsonl").read_text().splitlines()) == 2


def test_a_mistake_of_ours_is_not_the_trainings(reporter, monkeypatch, caplog):
    monkeypatch.setattr(connection.Connection, "put", lambda *_: 1 / 0)
    reporter.report(epoch=1)
    reporter.report(epoch=1)
    assert [record.levelname for record in caplog.records] == ["WARNING"] and "ZeroDivisionError" in caplog.text


def test_a_notice_that_cannot_be_written_is_not_the_trainings(reporter, monkeypatch):
    """As in a daemon that has closed sys.stderr; logging passes on what its handlers raise."""
    def closed(*_):
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(logging.Logger, "warning", closed)
    reporter.report(epoch=1, loss="a text")
    reporter.parameters(None)


@pytest.mark.parametrize("seconds", [float("inf"), 1e10])
def test_a_flush_waits_for_any_time(listener, reporter, monkeypatch, seconds):
    """Longer than poll() and sleep() can."""
    def answered(self, left):
        listener.kept(1)
        wait(self, left)

    wait = connection.Connection.wait
    monkeypatch.setattr(connection.Connection, "wait", answered)
    reporter.report(epoch=1)
    listener.accept()
    assert reporter.flush(seconds)


def test_where_there_are_no_unix_sockets(monkeypatch, caplog):
    """As in Python on Windows: nothing goes anywhere, and nobody waits for it."""
    monkeypatch.delattr(socket, "AF_UNIX")
    monkeypatch.setattr(connection.Connection, "wait", lambda *_: pytest.fail("it waits"))
    reporter = Reporter("/tmp/agent.sock")
    reporter.report(epoch=1)
    assert not reporter.should_stop() and not reporter.flush(60)
    assert "no Unix sockets" in caplog.text


def test_a_report_in_a_signal_handler_while_one_is_in_progress(listener, reporter, monkeypatch):
    """Also one that would wait: flush() returns when its time is up."""
    heard = []

    def interrupt(self, kind, fields):
        if not heard:
            heard.append(True)
            os.kill(os.getpid(), signal.SIGUSR1)
        put(self, kind, fields)

    def handler(*_):
        reporter.report(epoch=2)
        assert not reporter.should_stop() and not reporter.flush(0.001)

    put = connection.Connection.put
    monkeypatch.setattr(connection.Connection, "put", interrupt)
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        reporter.report(epoch=1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [fields["epoch"] for _, fields in listener.accept().hear(3)[1:]] == [1, 2]


def test_threads_report_each_once(listener, reporter):
    def work(i):
        for step in range(200):
            reporter.report(step=step, metrics={f"m{i}": step})

    heard = []
    reader = threading.Thread(target=lambda: heard.extend(listener.accept().hear(1601)))
    reader.start()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while reader.is_alive():
        reporter.flush(0.01)
    assert numbers(heard[1:]) == list(range(1, 1601))
    for i in range(8):
        mine = [fields["step"] for _, fields in heard[1:] if f"m{i}" in fields["metrics"]]
        assert mine == list(range(200))


def test_a_socket_whose_backlog_is_full_is_not_waited_for(here, clock):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(here / "full.sock"))
        server.listen(0)
        others = [Reporter(str(here / "full.sock")) for _ in range(5)]
        for reporter in others:
            reporter.report(epoch=1)
        assert not others[-1]._delivery._connection.reached


def test_what_an_agent_of_another_version_will_not_take_is_dropped_and_not_waited_for(listener, reporter):
    reporter.report(epoch=1)
    listener.accept().hear(2)
    listener.say({"rejected": {"code": "version-not-spoken"}})
    assert not reporter.flush(60)
    reporter.report(epoch=2)
    assert reporter.dropped() == 2 and not reporter.flush(60)


def test_it_keeps_to_the_protocol():
    """What a client's author runs, on ours."""
    here = pathlib.Path(__file__).resolve().parent
    done = subprocess.run([sys.executable, here.parents[1] / "conformance", sys.executable, here / "conforming.py"],
                          capture_output=True, text=True, env=clean_environment({"PYTHONPATH": str(here.parents[2] / "reporters/python")}))
    assert done.returncode == 0, done.stdout + done.stderr
