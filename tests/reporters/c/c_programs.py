"""Programs with the C reporter in them: how they are built, and a driver of one."""

import pathlib
import subprocess

from agent.harness import clean_environment

HERE = pathlib.Path(__file__).resolve().parent
REPORTER = HERE.parents[2] / "reporters/c"
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compile_with(out, program, *flags, compiler="gcc"):
    """A program of this folder with the reporter's one source file, unless it includes that; strict C99."""
    sources = [HERE / program]
    if '#include "experiments.c"' not in sources[0].read_text():
        sources.append(REPORTER / "experiments.c")
    done = subprocess.run([compiler, *STRICT, "-D_POSIX_C_SOURCE=200809L", "-g", "-O1", *flags, f"-I{REPORTER}", *sources,
                           "-o", out, "-pthread"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


class Driver:
    """A running driver.c: ask("report epoch=1 loss=0.5") is what exp_report() returned."""

    def __init__(self, program, environment, prefix=()):
        self.process = subprocess.Popen([*prefix, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=clean_environment(environment))

    def send(self, command):
        self.process.stdin.write(command.encode("utf-8", "surrogateescape") + b"\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return line.decode().rstrip("\n")

    def ask(self, command):
        self.send(command)
        return int(self.receive())

    def ask_text(self, command):
        """Of commands that answer with a text, and a number then."""
        self.send(command)
        return self.receive(), int(self.receive())

    def end(self):
        """What it said on stderr."""
        self.process.stdin.close()
        said = self.process.stderr.read().decode()
        assert self.process.wait() == 0, said
        return said

    def close(self):
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
