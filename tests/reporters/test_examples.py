"""The clients of reporters/examples, each in its language: what they read arrives, and once."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import textwrap

import pytest

from agent.harness import Agent, clean_environment, curve
from cluster.apiserver import find_go, go_environment

TOP = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES, DOCUMENTATION = TOP / "reporters" / "examples", TOP / "docs" / "reporters.md"

# Language: its file, how that is built into the folder {out} where it has to be, and how it runs.
CLIENTS = {
    "go": ("client.go", "{go} build -o {out}/client {file}", "{out}/client"),
    "java": ("Client.java", "javac -Xlint:all -Werror -d {out} {file}", "java -cp {out} Client"),
    "node": ("client.mjs", None, "node {file}"),
    "perl": ("client.pl", None, "perl {file}"),
    "ruby": ("client.rb", None, "ruby {file}"),
    "rust": ("client.rs", "rustc --edition 2021 -D warnings -o {out}/client {file}", "{out}/client"),
}


def code_lines(text):
    """How many lines say something: without imports, comments, and braces that stand alone."""
    text = re.sub(r"^import \(.*?^\)|^(import|use|require) .*?$", "", text, flags=re.M | re.S)
    return sum(re.search(r"\w", line) is not None and not re.match(r"\s*(//|/\*\*|# |#!)", line) for line in text.splitlines())


@pytest.mark.parametrize("name", [name for name, _, _ in CLIENTS.values()])
def test_each_is_small(name):
    # These declare what they take; Java and Rust bring no JSON.
    most = {"client.go": 85, "Client.java": 85, "client.rs": 100}.get(name, 60)
    assert 10 <= code_lines((EXAMPLES / name).read_text()) <= most


def test_the_first_lines_of_the_documentation_report(directory):
    section = DOCUMENTATION.read_text().split("## A client of your own\n\n")[1]
    script = textwrap.dedent(section.split("\n\n")[0]).replace("/experiments", str(directory / "experiments"))
    with started(directory) as agent:
        agent.wait_for_report()
        subprocess.run(["perl"], input=script, text=True, check=True)
        assert curve(agent.stop(), "loss") == {1: 0.5}


def test_the_shell_reports(directory):
    with started(directory) as agent:
        agent.wait_for_report()
        subprocess.run(["sh", EXAMPLES / "client.sh"], input='{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n',
                       env=clean_environment({"EXPERIMENTS_DIR": str(directory / "experiments")}), text=True, check=True)
        assert curve(agent.stop(), "loss") == {1: 0.5, 2: 0.25}


def built(language, out):
    """The command that runs a client, when it is built."""
    name, build, run = CLIENTS[language]
    words = {"file": EXAMPLES / name, "out": out}
    if build:
        if "{go}" in build:
            words["go"] = find_go()
        subprocess.run([word.format(**words) for word in build.split()], check=True, env=go_environment())
    return [word.format(**words) for word in run.split()]


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    return {language: built(language, tmp_path_factory.mktemp(language)) for language in CLIENTS}


@pytest.fixture(params=CLIENTS)
def command(request, commands):
    return commands[request.param]


@pytest.fixture
def directory():
    """One whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path)


@contextlib.contextmanager
def running(command, path):
    environment = clean_environment({"EXPERIMENTS_SOCKET": str(path)})
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as client:
        try:
            yield client
        finally:
            client.kill()


@contextlib.contextmanager
def started(directory):
    agent = Agent(directory)
    try:
        yield agent
    finally:
        agent.close()


def write(client, epochs):
    for epoch in epochs:
        client.stdin.write(json.dumps({"epoch": epoch, "loss": 1 / epoch, "val/acc": epoch * 3}) + "\n")
    client.stdin.flush()


def end(client):
    client.stdin.close()
    assert client.wait() == 0


def test_what_is_said_before_the_agent_starts_arrives(command, directory):
    with running(command, directory / "experiments" / "agent.sock") as client:
        write(client, range(1, 6))
        with started(directory) as agent:
            end(client)
            status = agent.stop()
    assert curve(status, "loss") == {epoch: 1 / epoch for epoch in range(1, 6)}
    assert curve(status, "val/acc") == {epoch: epoch * 3 for epoch in range(1, 6)}


def test_each_report_counts_once_while_the_agent_is_killed(command, directory):
    with running(command, directory / "experiments" / "agent.sock") as client:
        for n in range(1, 2000, 500):
            with started(directory) as agent:
                write(client, range(n, n + 400))
                agent.wait_for_accepted(n)
                agent.process.kill()
            write(client, range(n + 400, n + 500))
        with started(directory) as agent:
            end(client)
            status = agent.stop()
    assert (status["agent"]["accepted"], status["agent"]["dropped"], status["agent"]["rejected"]) == (2000, 0, 0)
    assert (status["x"][0], status["x"][-1]) == (1, 2000)


class Play:
    """The agent's part, played line by line."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()

    def accept(self):
        self.connection, _ = self.listener.accept()
        self.lines = self.connection.makefile("r")

    def hear(self):
        return json.loads(self.lines.readline())

    def say(self, **message):
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def close(self):
        for file in (self.lines, self.connection, self.listener):
            file.close()


def test_hello_stop_and_what_is_unknown(command, directory):
    play = Play(directory / "s")
    with running(command, directory / "s") as client, contextlib.closing(play):
        play.accept()
        hello = play.hear()["hello"]
        assert hello["pid"] == client.pid and 1 <= len(hello["client"]) <= 64
        play.say(welcome={"version": 1, "agent": "2.0", "job": "a \"kept\": 7, b", "more": {"name": 9}})
        write(client, [1, 2])
        for number in (1, 2):
            report = play.hear()["report"]
            assert (report["number"], report["epoch"], report["metrics"]["loss"]) == (number, number, 1 / number)
            assert report["metrics"].keys() == {"loss", "val/acc"}
        play.say(weather={"number": 2})
        play.say(kept={"number": 1, "more": [{"name": 2}]})
        play.say(stop={"reason": "a \"better\" run", "deadline": 1.5e9})
        assert client.stdout.readline() == 'stop: a "better" run\n'
        play.connection.shutdown(socket.SHUT_RDWR)
        play.accept()
        assert play.hear()["hello"]["client"] == hello["client"]
        play.say(welcome={"version": 1, "kept": 1, "stop": {"reason": "again"}})
        assert play.hear()["report"]["number"] == 2
        play.say(rejected={"number": 2, "code": "new-code", "message": "tested"})
        play.say(kept={"number": 2})
        end(client)
        assert client.stdout.read() == ""
        assert play.lines.read() == ""


def test_a_stop_that_came_before(command, directory):
    play = Play(directory / "s")
    with running(command, directory / "s") as client, contextlib.closing(play):
        play.accept()
        play.hear()
        play.say(welcome={"version": 1, "stop": {"reason": "enough"}})
        assert client.stdout.readline() == "stop: enough\n"
        end(client)


def test_a_version_that_is_not_spoken_makes_it_quiet(command, directory):
    play = Play(directory / "s")
    with running(command, directory / "s") as client, contextlib.closing(play):
        play.accept()
        play.hear()
        play.say(rejected={"code": "version-not-spoken", "message": "2 is"})
        write(client, range(1, 10_000))
        end(client)
        assert play.lines.read() == ""


def test_each_conforms(commands):
    """All at once: what takes time is the second that a client waits before it connects again."""
    runs = {language: subprocess.Popen([TOP / "tests" / "conformance", *command], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for language, command in commands.items()}
    said = {language: run.communicate()[0] for language, run in runs.items()}
    assert [language for language, run in runs.items() if run.returncode] == [], "\n".join(said.values())


def test_where_the_socket_is_none_nothing_is_reported(command):
    with running(command, "none") as client:
        write(client, range(1, 100))
        end(client)
        assert client.stdout.read() == ""


def test_where_the_socket_is_none_the_shell_reports_nothing():
    subprocess.run(["sh", EXAMPLES / "client.sh"], input="{}\n", env=clean_environment({"EXPERIMENTS_SOCKET": "none"}), text=True,
                   check=True)
