"""The C reporter and the real agent."""

import os
import re
import signal
import subprocess

from agent.harness import clean_environment, curve


def test_each_report_counts_once_while_the_agent_is_killed_again_and_again(drive, start_agent):
    driver, n = drive("-DEXP_RETRY_MS=0"), 300
    agent = start_agent()
    for life in range(10):
        driver.send(f"many {life * n + 1} {n}")
        agent.process.kill()
        agent.process.wait()
        assert driver.receive() == str(n)
        agent = start_agent()
    assert driver.ask("flush -1") == 0
    assert driver.ask("dropped") == 0
    status = agent.stop()
    assert (status["agent"]["accepted"], status["agent"]["dropped"], status["epoch"]) == (10 * n, 0, 10 * n)


def test_a_killed_agent_is_found_again(drive, start_agent):
    """With a second between two attempts, as it is shipped."""
    driver, agent = drive(), start_agent()
    assert driver.ask("many 1 100") == 100
    agent.process.kill()
    agent.process.wait()
    assert driver.ask("many 101 100") == 100
    agent = start_agent()
    assert driver.ask("flush -1") == 0
    status = agent.stop()
    assert status["agent"]["accepted"] == 200
    assert curve(status, "loss")[200] == 1 / 200


def test_a_trainer_that_is_there_before_its_agent(drive, start_agent):
    driver = drive()
    assert driver.ask("many 1 50") == 50
    agent = start_agent()
    assert driver.ask("flush -1") == 0
    assert agent.stop()["x"] == list(range(1, 51))


def test_a_stopped_agent_costs_reports_but_no_time(drive, start_agent):
    """While it cannot read: that the calls return at all shows that they do not wait for it."""
    driver, agent = drive(), start_agent()
    assert driver.ask("report epoch=1 loss=1") == 0
    agent.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, agent.process.pid, os.WSTOPPED)
    taken = driver.ask("many 1 40000")
    dropped = driver.ask("dropped")
    assert 0 < taken == 40000 - dropped < 40000
    assert driver.ask("should_stop") == 0
    agent.process.send_signal(signal.SIGCONT)
    assert driver.ask("flush -1") == 0
    assert driver.ask("report epoch=40001 loss=1") == 0
    assert driver.ask("flush -1") == 0
    status = agent.stop()
    assert (status["agent"]["accepted"], status["agent"]["dropped"]) == (taken + 2, dropped)


def test_a_child_is_a_client_of_its_own(drive, start_agent):
    driver, agent = drive(), start_agent()
    assert driver.ask("many 1 100") == 100
    assert driver.ask("fork") == 0
    assert driver.ask("many 101 100") == 100
    assert driver.ask("fork") == 0
    assert driver.ask("flush -1") == 0
    status = agent.stop()
    assert (status["agent"]["accepted"], status["agent"]["dropped"]) == (202, 0)
    assert curve(status, "child")[1] == 0.5


def test_a_child_is_a_client_of_its_own_also_when_the_parent_could_not_send(drive, start_agent):
    """What waits in the parent's buffer is the parent's to send."""
    driver = drive("-DEXP_RETRY_MS=0")
    assert driver.ask("many 1 100") == 100
    driver.send("fork")  # the child waits for the agent
    agent = start_agent()
    assert driver.receive() == "0"
    assert driver.ask("flush -1") == 0
    status = agent.stop()
    assert (status["agent"]["accepted"], status["agent"]["dropped"]) == (101, 0)


def test_threads_and_forks_without_a_race(programs, start_agent, short):
    agent = start_agent()
    program = programs("threads.c", "-fsanitize=thread", compiler="clang")
    done = subprocess.run([program], capture_output=True, text=True,
                          env=clean_environment({"EXPERIMENTS_DIR": str(short), "TSAN_OPTIONS": "halt_on_error=1"}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "4000\n", "")
    status = agent.stop()
    assert (status["agent"]["accepted"], status["agent"]["dropped"]) == (4008, 0)


def test_reporters_of_ones_own(drive, start_agent):
    driver, agent = drive(), start_agent()
    for rank in (1, 2, 3):
        assert driver.ask(f"new {rank}") == 0 and driver.ask(f"report epoch=1 loss={rank}") == 0
        assert driver.ask("flush -1") == 0
        assert driver.ask("free") == 0
    assert driver.end() == ""
    assert agent.stop()["values"] == {"rank1/loss": 1, "rank2/loss": 2, "rank3/loss": 3}


def calls_of(trace, n):
    """The calls of the command that the driver answered with n."""
    before, mark, _ = trace.read_text().partition(f'write(1, "{n}\\n"')
    assert mark
    return re.findall(r"^(\w+)\(", before.rpartition("read(0")[2].partition("\n")[2], re.M)


def test_a_report_is_one_system_call(drive, start_agent, tmp_path):
    """As strace sees it, which sees no clock: that is read without a system call (vdso(7)). Where the buffer is more than half
    full, one in hundreds also reads what was acknowledged."""
    agent, trace = start_agent(), tmp_path / "trace"
    driver = drive(prefix=["strace", "-o", trace], sanitize=False)
    assert driver.ask("many 1 3") == 3  # connects
    assert driver.ask("many 4 2000") == 2000
    assert driver.ask("flush -1") == 0
    assert driver.ask("many 2004 5000") == 5000  # 600 kB: more than half, and fit whatever the agent does
    driver.end()
    agent.stop()
    assert calls_of(trace, 2000) == ["sendmsg"] * 2000
    calls = calls_of(trace, 5000)
    assert calls.count("sendmsg") == 5000 and set(calls) <= {"sendmsg", "recvfrom"}
    assert calls.count("recvfrom") <= 8
