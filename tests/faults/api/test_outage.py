"""An hour without a server, while the trainer writes more than memory could hold."""

import pathlib

from agent.harness import append
from faults.api.clock import TICK_S

HOUR_S, STEP_S = 3600, 30
LINES_A_STEP = 16000
KIB_MORE = 1024  # than when the first report was through


def anonymous_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    raise AssertionError("smaps_rollup has no Anonymous")


def read_bytes(pid):
    """All that the process has read so far (proc(5), rchar)."""
    return int(pathlib.Path(f"/proc/{pid}/io").read_text().split()[1])


def lines(first, n):
    return "".join(f'{{"epoch": {i}, "loss": {i % 97 / 8}, "val_acc": {i % 89 / 128}, "lr": 0.001, "grad_norm": '
                   f'{i % 83 / 4}, "time_s": {i / 4}}}\n' for i in range(first, first + n))


def test_an_hours_outage(start_through, proxy, results, clock):
    agent = start_through("outage", "--interval", "5s,60s")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("outage", 1)
    agent.wait_for_log("publish: resting")
    pid = agent.process.pid
    before, most, reports = anonymous_kib(pid), 0, len(proxy.of("PATCH"))

    proxy.is_down = True
    written, total = 1, 0
    with open(agent.metrics, "a") as file:
        for _ in range(0, HOUR_S, STEP_S):
            text = lines(written + 1, LINES_A_STEP)
            start = read_bytes(pid)
            file.write(text)
            file.flush()
            written += LINES_A_STEP
            total += len(text)
            clock.advance(agent, STEP_S)
            while read_bytes(pid) < start + len(text):
                assert agent.process.poll() is None, agent.log
                proxy.wait_for_change(TICK_S)
            most = max(most, anonymous_kib(pid))
    assert total >= 200_000_000
    assert proxy.refused > 30, "the agent has not tried"
    assert most - before <= KIB_MORE, f"{before} KiB before the outage, {most} KiB in it"

    proxy.is_down = False
    clock.run_until(agent, lambda: results.get("outage")["status"]["agent"]["accepted"] > 1)
    status = results.get("outage")["status"]
    assert (status["agent"]["accepted"], status["epoch"], status["agent"]["lostBytes"]) == (written, written, 0)
    assert status["x"][0] == 1 and status["x"][-1] == written
    assert status["x"] == sorted(set(status["x"]))
    assert len(proxy.of("PATCH")) == reports + 1, "all of it is one report"
    assert agent.log.count("trying again, nothing is lost meanwhile") <= 2
    agent.stop()
