"""What the C reporter says and understands; the test is the agent."""

import json
import math
import random
import re
import struct
import time

import pytest

from fakes import FakeAgent

QUICK = "-DEXP_RETRY_MS=0"


def test_the_first_report_says_hello_and_is_numbered(drive, fake):
    driver = drive()
    assert driver.ask("report epoch=1 step=2 time=3.5 epochs=4 output=/o checkpoint=/c loss=0.25 acc=nan a=inf b=-inf") == 0
    connection = fake.accept()
    hello = connection.hear()["hello"]
    assert re.fullmatch("[0-9a-f]{16}", hello.pop("client"))
    assert hello == {"version": 1, "program": driver.process.args[0].name, "pid": driver.process.pid}
    assert json.loads(connection.hear_line()) == {"report": {
        "number": 1, "epoch": 1, "step": 2, "time": 3.5, "totalEpochs": 4, "outputPath": "/o", "checkpoint": "/c",
        "metrics": {"loss": 0.25, "acc": "NaN", "a": "Infinity", "b": "-Infinity"}}}
    assert driver.ask("parameters lr=0.01 optimizer=~adam") == 0
    assert driver.ask("end 3 why") == 0
    assert connection.hear() == {"parameters": {"number": 2, "values": {"lr": 0.01, "optimizer": "adam"}}}
    assert connection.hear() == {"end": {"number": 3, "exitStatus": 3, "message": "why"}}
    assert driver.end() == ""


def test_a_report_is_told_when_it_was_made(drive, fake):
    driver = drive()
    assert driver.ask("report epoch=0 loss=1") == 0
    connection = fake.accept()
    connection.hear()
    report = connection.hear()["report"]
    assert report["epoch"] == 0 and report["time"] > 1.7e9


@pytest.mark.parametrize("command", ["report", "report time=3", "report epoch=nan", "report epoch=-1", "report epochs=0", "report .=1",
                                     "report " + " ".join(f"m{i}=1" for i in range(1025)), "parameters", "parameters =1",
                                     "parameters lr=nan", "end 256"])
def test_what_no_agent_takes_is_not_said(drive, fake, command):
    driver = drive()
    assert driver.ask(command) == -22
    assert driver.ask("report epoch=1") == 0
    connection = fake.accept()
    connection.hear()
    assert connection.hear()["report"]["number"] == 1


def test_the_longest_line(drive, fake):
    driver = drive()
    frame = len('{"report":{"number":1,"time":3,"checkpoint":""}}')
    assert driver.ask("report time=3 checkpoint=" + "x" * (131072 - frame + 1)) == -90
    assert driver.ask("report time=3 checkpoint=" + "x" * (131072 - frame)) == 0
    connection = fake.accept()
    connection.hear()
    assert len(connection.hear_line()) == 131073


def test_names_are_escaped_and_always_utf8(drive, fake):
    driver = drive()
    names = ['a"b', "back\\slash", "tab\tbell\a", "Genauigkeit/µ", "精度", "😀", "\x7f", "a\udcffb", "cut\udce2\udc82", "\udced\udca0\udc80",
             "\udcc0\udcaf", "\udcf4\udc90\udc80\udc80", "end\udcc3"]
    assert driver.ask("report " + " ".join(f".{name}={i}" for i, name in enumerate(names))) == 0
    connection = fake.accept()
    connection.hear()
    line = connection.hear_line().decode()  # is UTF-8
    said = dict(zip(json.loads(line)["report"]["metrics"].values(), json.loads(line)["report"]["metrics"]))
    expected = [re.sub("[\udc80-\udcff]", "\ufffd", name) for name in names]
    assert [said[i] for i in range(len(names))] == expected


@pytest.mark.parametrize("text, taken", [
    ("x" * 1100, "x" * 1024), ("é" * 600, "é" * 512), ("x" + "é" * 600, "x" + "é" * 511), ("\udcff" * 500, "\ufffd" * 341)])
def test_an_end_with_a_long_message_is_an_end(drive, fake, text, taken):
    """The agent would take neither."""
    driver = drive()
    assert driver.ask("end_with " + text) == 0
    connection = fake.accept()
    connection.hear()
    assert connection.hear()["end"] == {"number": 1, "exitStatus": 1, "message": taken}


def test_what_is_too_long_for_a_parameter_or_a_program_is_cut(drive, fake):
    driver = drive()
    assert driver.ask("new 0 " + "x" * 250 + "\udcff" * 6) == 0
    assert driver.ask("parameters a=~" + "x" * 5000 + " b=1") == 0
    connection = fake.accept()
    assert connection.hear()["hello"]["program"] == "x" * 250 + "\ufffd" * 2
    assert connection.hear()["parameters"]["values"] == {"a": "x" * 4096, "b": 1}


def digits(text):
    """Of the significand, without zeros around it."""
    return len(re.sub(r"[eE].*|[-.]", "", text).strip("0"))


def doubles():
    chance = random.Random(7)
    yield from (0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e15, 1e16, 9007199254740993.0, 1e22, 1e23,
                123456789012345.6, 0.00001, 1e-5, 1.5e-7, 9.999999999999999e22, 4.35, 2.675, 1e21, -0.0, 4503599627370496.5, 1e300)
    for _ in range(8000):
        yield struct.unpack("<d", chance.randbytes(8))[0]
        yield chance.random()
        yield round(chance.random() * 100, chance.randrange(1, 9))
        yield struct.unpack("<f", chance.randbytes(4))[0]
        yield chance.random() * 10 ** chance.randrange(-12, 20)
        yield float(chance.randrange(2**63))


@pytest.mark.parametrize("flags", [(), ("-O3", "-ffast-math"), ("-U__SIZEOF_INT128__",)])
def test_numbers_are_the_shortest_that_are_the_same_double(drive, fake, flags, locales):
    """As Python's repr, in a locale whose decimal point is a comma, too."""
    driver = drive(*flags, **locales)
    values = [value for value in doubles() if math.isfinite(value)]
    connection = None
    for n, locale in enumerate(("C", "de_DE.UTF-8", "fa_IR.UTF-8")):
        assert driver.ask(f"locale {locale}") == 0
        for i in range(0, len(values), 1000):
            batch = values[i:i + 1000] if n == 0 else values[i % 7000:i % 7000 + 1000]
            assert driver.ask("report " + " ".join(f"m{j}={value.hex()}" for j, value in enumerate(batch))) == 0
            if connection is None:
                connection = fake.accept()
                connection.hear()
            said = json.loads(connection.hear_line(), parse_float=str, parse_int=str)["report"]
            connection.keep(int(said["number"]))
            assert [float(text) for text in said["metrics"].values()] == batch
            for text, value in zip(said["metrics"].values(), batch):
                assert digits(text) <= digits(repr(value)), (text, value)


def test_what_was_not_acknowledged_is_sent_again_with_the_same_id(drive, fake):
    driver = drive()
    assert driver.ask("many 1 3") == 3
    first = fake.accept()
    before = [first.hear_line() for _ in range(4)]
    first.say({"welcome": {"version": 1}}, {"kept": {"number": 1}})
    first.close()
    driver.send("flush -1")
    second = fake.accept()
    assert second.hear_line() == before[0]
    assert [second.hear_line(), second.hear_line()] == before[2:]
    second.say({"welcome": {"kept": 1}}, {"kept": {"number": 3}})
    assert driver.receive() == "0"
    assert driver.ask("report epoch=4") == 0
    assert second.hear()["report"]["number"] == 4


def test_descriptors_that_were_closed_under_it(drive, fake):
    """As daemons do; the number is another file's then, which is neither written nor closed."""
    driver = drive(QUICK)
    driver.ask("report epoch=1")
    connection = fake.accept()
    connection.hear(), connection.hear()
    assert driver.ask("close_under_it") == 0
    connection = fake.accept()
    connection.hear()
    assert [connection.hear()["report"]["number"] for _ in range(3)] == [1, 2, 3]
    assert driver.end() == ""


def test_what_a_welcome_says_is_kept_is_kept(drive, fake):
    driver = drive()
    assert driver.ask("many 1 3") == 3
    fake.accept().close()
    driver.send("flush -1")
    second = fake.accept()
    second.say({"welcome": {"kept": 3}})
    assert driver.receive() == "0"


def test_a_full_buffer_drops_and_counts_and_leaves_the_numbers_out(drive, fake):
    """1 MiB and the socket's own buffer; the end has room of its own."""
    driver = drive()
    taken = driver.ask("many 1 40000")
    assert taken < 40000 and driver.ask("dropped") == 40000 - taken
    assert driver.ask("report checkpoint=" + "x" * 4000) == -105
    assert driver.ask("end 0") == 0
    connection = fake.accept()
    connection.hear()
    driver.send("flush -1")
    numbers = []
    while not numbers or numbers[-1] < 40002:
        [message] = connection.hear().values()
        numbers.append(message["number"])
    assert numbers == sorted(set(numbers)) and len(numbers) == taken + 1  # a shorter line may have fit later
    connection.keep(40002)
    assert driver.receive() == "0"
    assert driver.ask("dropped") == 40001 - taken
    assert driver.ask("report epoch=1 loss=1") == 0


class Reader:
    """Takes what connections bring, as an agent does: complete lines, each number once."""

    def __init__(self):
        self.kept, self.epochs = 0, []

    def take(self, line):
        [(name, message)] = json.loads(line).items()
        if name == "report" and message["number"] > self.kept:
            self.kept = message["number"]
            self.epochs.append(message["epoch"])

    def read(self, connection, n_bytes, last, chance):
        """At most n_bytes, in pieces, with an acknowledgement now and then; up to the number `last`."""
        rest = b""
        while n_bytes > 0 and self.kept < last:
            piece = connection.socket.recv(min(n_bytes, chance.choice([1, 100, 70000])))
            n_bytes -= len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self.take(line)
            if chance.random() < 0.1:
                connection.keep(self.kept)


@pytest.mark.parametrize("seed", range(40))
def test_an_agent_that_fails_anywhere_gets_every_report_once(drive, fake, seed):
    """It reads so many bytes, acknowledges some of what it has, and closes in the middle of a line."""
    chance, reader, n = random.Random(seed), Reader(), 3000
    driver = drive(QUICK)
    driver.send(f"many 1 {n}")
    driver.send("flush -1")
    for _ in range(chance.randrange(10)):
        connection = fake.accept()
        reader.read(connection, chance.choice([0, 1, 50, 300, 5000, 40000]), n, chance)
        connection.close()
    connection = fake.accept()
    reader.read(connection, math.inf, n, chance)
    connection.keep(n)
    assert (driver.receive(), driver.receive()) == (str(n), "0")
    assert reader.epochs == list(range(1, n + 1))


def test_it_connects_at_most_once_a_second(drive, fake):
    """Every connection is closed at once; how many there were is compared with how long it took."""
    driver = drive()
    started = time.monotonic()
    fake.listening.setblocking(False)
    connections = 0
    for i in range(1, 20001):
        driver.ask(f"report epoch={i}")
        try:
            fake.accept().close()
            connections += 1
        except BlockingIOError:
            pass
    assert 1 <= connections <= 1 + (time.monotonic() - started)


def test_a_stop(drive, fake):
    driver = drive()
    assert driver.ask("should_stop") == 0  # connects
    connection = fake.accept()
    connection.hear()
    assert driver.ask_text("stop_reason") == ("(none)|-1.000", 0)
    connection.say({"stop": {"reason": "worse than the \"median\" \u00b5\U0001f600"}})
    assert driver.ask("should_stop") == 1
    assert driver.ask_text("stop_reason") == ('worse than the "median" µ😀|-1.000', 0)
    connection.say({"stop": {"reason": "now", "deadline": 1700000000.25}}, {"kept": {"number": 1}})
    assert driver.ask("report epoch=1") == 0
    assert driver.ask("flush -1") == 0
    assert driver.ask_text("stop_reason") == ("now|1700000000.250", 0)
    connection.socket.sendall(b'{"stop": {"reason": "now", "deadline": 17.5E+8}}\n')
    assert driver.ask("report epoch=2") == 0 and driver.ask("flush 0") == -110
    assert driver.ask_text("stop_reason") == ("now|1750000000.000", 0)
    connection.say(*({"stop": {"reason": str(i)}} for i in range(20)), {"kept": {"number": 3}})
    assert driver.ask("report epoch=3") == 0
    assert driver.ask("flush -1") == 0
    assert driver.ask_text("stop_reason") == ("5|1750000000.000", 0)  # it lends at most eight
    assert driver.ask("should_stop") == 1


@pytest.mark.parametrize("stop", [{}, {"reason": None}, {"reason": ""}, {"deadline": None, "later": [{"a": [1]}, "x"]}])
def test_a_stop_that_the_welcome_brings(drive, fake, stop):
    driver = drive()
    assert driver.ask("report epoch=1") == 0
    fake.accept().say({"welcome": {"version": 1, "job": "j", "limits": {"metrics": 1024}, "stop": stop}})
    assert driver.ask("should_stop") == 1
    assert driver.ask_text("stop_reason") == ("|-1.000", 0)


NONSENSE = [b"", b"   \r", b"{}", b"[]", b"null", b"17", b'"text"', b"not json", b'{"kept"', b'{"kept":', b'{"kept":{', b'{"kept":{"number"', b'{"kept":{"number":}}',
            b'{"kept": null}', b'{"kept": 5}', b'{"kept": {"number": null}}', b'{"kept": {"number": {}}}', b'{"stop": null, "news": {"number": 9}}',
            b"{" * 1000, b"[" * 1000, b'{"a":' * 1000, b'{"news": {"kept": {"number": 9}}}', b'{"\\ud800": 1}', b'{"a": "\\', b'{"a": "\\u12',
            b'{"kept": {"later": [1, "]", {"number": 9}]}}', b"\xff\xfe\0", b'{"\0":1}', b'{"a":\0}', b"x" * 8191, b"x" * 8192, b"x" * 8193, b"x" * 100000,
            b'{"kept": {"number": 0}}', b'{"news": "' + b"x" * 20000 + b'"}']


@pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
def test_what_is_not_understood_changes_nothing(drive, fake, nonsense):
    driver = drive()
    assert driver.ask("report epoch=1") == 0
    connection = fake.accept()
    driver.send("flush -1")
    connection.socket.sendall(nonsense + b"\n")
    for byte in b' { "later" : [ 1 , { } ] , "kept" : { "x" : "\\"}" , "number" : 1 } } \r\n':
        connection.socket.sendall(bytes([byte]))
    assert driver.receive() == "0"
    assert driver.ask("should_stop") == (b'"stop": null' in nonsense)


def test_a_rejection_is_told_once(drive, fake):
    driver = drive()
    assert driver.ask("many 1 3") == 3
    connection = fake.accept()
    driver.send("flush -1")
    connection.say({"rejected": {"number": 1, "code": "name-too-long", "message": "a \"name\""}},
                   {"rejected": {"number": 2, "code": "invalid-value"}}, {"kept": {"number": 3}})
    assert driver.receive() == "0"
    assert driver.ask_text("rejected") == ("invalid-value", 2)
    assert driver.end() == 'experiments: the agent rejected a message: name-too-long: a "name"\n'


def test_another_process_has_the_id(drive, fake):
    """It may be this one's own connection that is lost; under another id what was sent could count twice."""
    driver = drive(QUICK)
    assert driver.ask("report epoch=1") == 0
    first = fake.accept()
    hello = first.hear_line()
    report = first.hear_line()
    driver.send("flush -1")
    first.say({"rejected": {"code": "client-id-taken"}}, {"rejected": {"number": 1, "code": "hello-expected"}})
    second = fake.accept()
    assert (second.hear_line(), second.hear_line()) == (hello, report)
    second.keep(1)
    assert driver.receive() == "0"
    assert driver.ask_text("rejected") == ("", 0)


def test_an_agent_that_speaks_another_version(drive, fake):
    driver = drive()
    assert driver.ask("report epoch=1") == 0
    fake.accept().say({"rejected": {"code": "version-not-spoken", "message": "2 is"}})
    assert driver.ask("flush -1") == -107
    assert driver.ask("report epoch=1") == 0 and driver.ask("should_stop") == 0
    assert "version-not-spoken: 2 is" in driver.end()


def test_too_many_clients_is_tried_again(drive, fake):
    driver = drive(QUICK)
    assert driver.ask("report epoch=1") == 0
    first = fake.accept()
    driver.send("flush -1")
    first.say({"rejected": {"code": "too-many-clients", "message": "1,000"}})
    first.close()
    fake.accept().keep(1)
    assert driver.receive() == "0"
    assert driver.ask_text("rejected") == ("too-many-clients: 1,000", 0)


def test_flush_gives_up(drive, fake):
    driver = drive()
    assert driver.ask("flush 0") == 0
    assert driver.ask("report epoch=1") == 0
    assert driver.ask("flush 0") == -110
    assert driver.ask("flush 50") == -110


@pytest.mark.parametrize("name", ["RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "LOCAL_RANK"])
def test_only_rank_0_reports(drive, fake, name):
    quiet = drive(**{name: "3"})
    assert quiet.ask("report epoch=1") == 0 and quiet.ask("parameters a=1") == 0 and quiet.ask("flush 100") == -107
    assert quiet.end() == ""
    driver = drive(**{name: "0"})
    assert driver.ask("report epoch=1") == 0
    assert "rank" not in fake.accept().hear()["hello"]


def test_other_ranks_hear_of_a_stop(drive, fake):
    driver = drive(RANK="3")
    assert driver.ask("should_stop") == 0
    connection = fake.accept()
    assert connection.hear()["hello"]["rank"] == 3
    connection.say({"stop": {"reason": "worse"}})
    assert driver.ask("report epoch=1") == 0 and driver.ask("should_stop") == 1 and driver.ask("flush 100") == -107
    assert driver.end() == ""
    assert connection.hear_line() == b""


@pytest.mark.parametrize("environment, command, rank", [
    ({"RANK": "3", "EXPERIMENTS_RANKS": "all"}, None, 3), ({"RANK": "3"}, "new -1", 3), ({"RANK": "3"}, "new 5", 5),
    ({}, "new 65535", 65535), ({"RANK": "1", "SLURM_PROCID": "0"}, "new -1", 1), ({"RANK": "x", "LOCAL_RANK": "2"}, "new -1", 2)])
def test_other_ranks_report_when_told(drive, fake, environment, command, rank):
    driver = drive(**environment)
    assert command is None or driver.ask(command) == 0
    assert driver.ask("report epoch=1") == 0
    hello = fake.accept().hear()["hello"]
    assert hello["rank"] == rank and (command is None or hello["program"] == "driver of tests")


def test_what_is_left_is_sent_when_the_program_ends(drive, fake):
    """Nobody listened when it was reported."""
    fake.close()
    driver = drive(QUICK)
    assert driver.ask("report epoch=1") == 0
    late = FakeAgent(fake.path)
    assert driver.end() == ""
    connection = late.accept()
    assert "hello" in connection.hear() and connection.hear()["report"]["epoch"] == 1
    late.close()


def test_without_an_agent_and_its_directory_it_says_so_once(drive, short):
    driver = drive(EXPERIMENTS_DIR=str(short / "none"))
    for _ in range(100):
        assert driver.ask("report epoch=1") == 0
    assert driver.ask("flush 1000") == -107 and driver.ask("dropped") == 0
    assert driver.end() == f"experiments: no agent at {short}/none/agent.sock: nothing is reported\n"


def test_where_the_socket_is_none_nothing_is_reported(drive):
    driver = drive(EXPERIMENTS_SOCKET="none")
    assert driver.ask("report epoch=1") == 0 and driver.ask("dropped") == 0
    assert driver.end() == ""


def test_where_the_directory_is_an_agent_may_come(drive, short):
    driver = drive()
    assert driver.ask("many 1 40000") < 40000 and driver.ask("dropped") > 0
    assert driver.end() == ""


def test_a_socket_that_is_named_may_come(drive, short):
    directory = short / "later"
    driver = drive(QUICK, EXPERIMENTS_SOCKET=f"{directory}/s", EXPERIMENTS_DIR="/nowhere")
    assert driver.ask("report epoch=1") == 0
    directory.mkdir()
    agent = FakeAgent(directory / "s")
    assert driver.ask("report epoch=2") == 0
    assert [next(iter(line)) for line in [agent.accept().hear()]] == ["hello"]
    agent.close()


def test_a_path_that_is_too_long(drive):
    driver = drive(EXPERIMENTS_SOCKET="/tmp/" + "x" * 103)
    assert driver.ask("report epoch=1") == 0 and driver.ask("flush 100") == -107
    said = driver.end()
    assert "has 108 bytes, at most 107 fit" in said and said.count("\n") == 1
