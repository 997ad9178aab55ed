"""The command line of tests/conformance."""

import argparse
import shutil
import sys

from conforming import checks, client_role, vectors
from conforming.agent_role import Failure, Trial

HELP = """
Does a client, or an agent, keep to proto/PROTOCOL.md?

  tests/conformance CLIENT [ARG…]     plays the agent, with faults, for a client
  tests/conformance --agent AGENT     plays the client for an agent, with proto/vectors

CLIENT is a program around the client library that is looked at, a few lines long:

  - it reads lines from standard input, and sends each as one numbered report to the socket that EXPERIMENTS_SOCKET
    names, in JSON lines or in protobuf. "epoch" and "step" are fields of the report, everything else is a metric: its
    value is a number, or "NaN", "Infinity" or "-Infinity"; its name may have any character.
        it reads:  {"epoch": 1, "step": 900, "loss": 0.5, "val/acc": "NaN"}
        it sends:  {"report": {"number": 1, "epoch": 1, "step": 900, "metrics": {"loss": 0.5, "val/acc": "NaN"}}}
  - when it learns of a stop it prints a line "stop: REASON" to standard output ("stop: " without a reason), and flushes
    it. It learns of it without further input, and goes on; it may print the line of a second stop, or not.
  - at the end of its input it waits until all is acknowledged, also while there is no agent, and exits with 0; no "end"
    needs to be sent. Where the agent does not speak its version it exits, too, with any status.
  - what it prints otherwise, to standard output or error, is shown when something is wrong.

It is started once for each check; all of them take half a minute. Each line says what was looked at, and of what is
wrong: what was expected, what came, and which section of PROTOCOL.md says so. Options come before CLIENT:
`--only rejected ./my-client` is one check alone. The exit status is 0 when all is well, 1 when something is wrong, and 2
when nothing was looked at.
"""


def _parser():
    parser = argparse.ArgumentParser(prog="tests/conformance", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description=HELP, usage=argparse.SUPPRESS)
    parser.add_argument("--agent", action="store_true", help="COMMAND is an agent: play the client")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this check or vector alone; may be repeated")
    parser.add_argument("--list", action="store_true", help="say what is looked at, and do nothing")
    parser.add_argument("--patience", metavar="SECONDS", type=float, default=30,
                        help="how long what has to come is waited for (30)")
    parser.add_argument("--seed", type=int, default=0, help="of the pieces in which vectors are sent (0)")
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    return parser


def _tell(is_well, name, title, *details):
    print(f"{'ok  ' if is_well else 'FAIL'}  {name}: {title}", *(f"      {detail}" for detail in details), sep="\n", flush=True)


def run_check(command, function, patience):
    """The client's id, and None or the Failure."""
    with Trial(command, patience) as trial:
        try:
            function(trial)
        except Failure as failure:
            return trial.client, failure
        return trial.client, None


def try_client(command, only=(), patience=30, tell=_tell):
    """The names of what failed."""
    failed, ids, told = [], set(), {}
    for function, name, section in checks.CHECKS:
        if only and name not in only:
            continue
        client, failure = run_check(command, function, patience)
        if failure is None and client in ids:
            failure = Failure("another hello.client in each process", f"came again: {client}")
        ids.add(client)
        if failure is None:
            tell(True, name, function.__doc__)
            continue
        failed.append(name)
        if failure.expected in told:
            tell(False, name, function.__doc__, f"as in {told[failure.expected]}: expected {failure.expected}")
            continue
        told[failure.expected] = name
        tell(False, name, function.__doc__, f"expected: {failure.expected}", f"but:      {failure.came}",
             f'see:      proto/PROTOCOL.md, "{failure.section or section}"')
        if name == checks.FIRST:
            break  # the others begin as it does, and would say the same
    return failed


def try_agent(program, only=(), patience=30, seed=0, tell=_tell):
    failed = []
    for vector, encoding, slicing, found in client_role.play_all(program, only, patience, seed):
        name = f"{vector.name} ({encoding}, {slicing})"
        if found:
            failed.append(name)
            tell(False, name, vector.title, *found.split("\n"), *(f'see: proto/PROTOCOL.md, "{s}"' for s in vector.sections))
        else:
            tell(True, name, vector.title)
    return failed


def _find_fault(arguments):
    """What is wrong with the arguments, or None."""
    if not arguments.command:
        return "expected a client, or --agent and an agent"
    if not shutil.which(arguments.command[0]):
        return f"{arguments.command[0]}: expected a program that can be run"
    names = [vector.name for vector in vectors.read_all("from-client")] if arguments.agent else \
        [name for _, name, _ in checks.CHECKS]
    unknown = [name for name in arguments.only if name not in names]
    return f"--only {unknown[0]}: expected one of {', '.join(names)}" if unknown else None


def main():
    arguments = _parser().parse_args()
    if arguments.list:
        for function, name, section in checks.CHECKS:
            print(f"{name}: {function.__doc__} ({section})")
        return 0
    fault = _find_fault(arguments)
    if fault:
        print(f"tests/conformance: {fault}; --help says more", file=sys.stderr)
        return 2
    if arguments.agent:
        failed = try_agent(arguments.command[0], arguments.only, arguments.patience, arguments.seed)
    else:
        failed = try_client(arguments.command, arguments.only, arguments.patience)
    if failed == [checks.FIRST] and not arguments.only and not arguments.agent:
        print(f"{checks.FIRST} failed: the others begin as it does, and were left out")
    else:
        print(f"{len(failed)} failed: {', '.join(failed)}" if failed else "all is well")
    return 1 if failed else 0
