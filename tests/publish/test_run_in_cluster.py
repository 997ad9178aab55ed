"""experiments-agent run in a cluster: the Result of a command that the agent started itself."""

import signal
import sys
import textwrap

import pytest

from faults.proxy import Reply

# Says which signal came, and ends with the status that it is told.
LISTENS = [sys.executable, "-c", textwrap.dedent("""
    import os, select, signal, sys
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    print("epoch 1 loss 0.5", flush=True)
    while True:
        for fd in select.select([reader, 0], [], [])[0]:
            if fd == 0:
                sys.exit(int(sys.stdin.readline()))
            print("signal", os.read(reader, 1)[0], flush=True)
""")]


def request_stop(api, results, name):
    assert api.patch(f"{results.path}/{name}", {"spec": {"stop": {"requested": True, "reason": "median rule"}}}).status == 200


def end(agent, status):
    """Tells the command how to end; the agent ends as it does."""
    agent.process.stdin.write(f"{status}\n".encode())
    agent.process.stdin.close()
    assert agent.process.wait() == status, agent.log


def test_a_stop_is_passed_on_as_the_signal_that_was_asked_for(start, results, api):
    agent = start("signalled", "--watch", "--stop-signal", "SIGUSR1", command=LISTENS)
    assert agent.process.stdout.readline() == b"epoch 1 loss 0.5\n"
    results.wait_for_accepted("signalled", 1)
    request_stop(api, results, "signalled")
    assert agent.process.stdout.readline() == b"signal %d\n" % signal.SIGUSR1
    end(agent, 0)
    status = results.get("signalled")["status"]
    assert status["phase"] == "Stopped" and status["attempt"]["exitCode"] == 0


def test_what_the_stop_signal_ends_is_stopped(start, results, api):
    agent = start("ended", "--watch", "--stop-signal", "term", command=LISTENS)
    results.wait_for_accepted("ended", 1)
    request_stop(api, results, "ended")
    assert agent.process.wait() == 143
    status = results.get("ended")["status"]
    assert status["phase"] == "Stopped" and status["attempt"]["exitCode"] == 143


def test_without_a_stop_signal_none_is_sent(start, results, api):
    """The file says it; what is sent to the agent later is the first that comes."""
    agent = start("unsignalled", "--watch", command=LISTENS)
    agent.process.stdout.readline()
    results.wait_for_accepted("unsignalled", 1)
    request_stop(api, results, "unsignalled")
    agent.wait_for_log("a stop was requested")
    agent.process.send_signal(signal.SIGUSR1)
    assert agent.process.stdout.readline() == b"signal %d\n" % signal.SIGUSR1
    assert (agent.dir / "stop").read_text() == "median rule\n"
    end(agent, 1)
    assert results.get("unsignalled")["status"]["phase"] == "Interrupted"


@pytest.mark.parametrize("limit, phase", [(0, "Failed"), (3, "Interrupted")])
def test_whether_a_failure_is_the_end_the_job_says(limit, phase, start, results, make_job):
    job = make_job(f"fails-{limit}", backoffLimit=limit)["metadata"]["name"]
    agent = start(job, command=LISTENS)
    results.wait_for_accepted(job, 1)
    end(agent, 9)
    status = results.get(job)["status"]
    assert status["phase"] == phase
    assert status["attempt"]["exitCode"] == 9 and status["attempt"]["reason"] == "Error"


def test_a_success_needs_nobody_to_be_asked(start, results):
    agent = start("succeeds", command=LISTENS)
    results.wait_for_accepted("succeeds", 1)
    end(agent, 0)
    status = results.get("succeeds")["status"]
    assert status["phase"] == "Succeeded" and status["attempt"]["exitCode"] == 0


def test_when_the_command_has_ended_a_signal_ends_the_wait_for_the_server(start_through, proxy, results):
    """Ctrl-C, a second time: the exit status is the command's all the same."""
    agent = start_through("unreachable", command=LISTENS)
    results.wait_for_accepted("unreachable", 1)
    proxy.add(Reply(503))
    agent.process.stdin.write(b"3\n")
    agent.process.stdin.close()
    agent.wait_for_log("the command has ended with exit status 3")
    agent.process.send_signal(signal.SIGINT)
    assert agent.process.wait() == 3
