"""The agent of a command that it runs itself, when a request for memory fails: it ends before the command begins and
says why, or the command runs as if nothing had been."""

import json
import os
import subprocess

from agent.harness import AGENT, clean_environment
from faults.world import TOOLS

COMMAND = ["sh", "-c", 'i=0; while [ $i -lt 40 ]; do i=$((i + 1)); echo "epoch $i loss 0.$i"; echo "{\\"note\\": $i}" >&2; done; exit 3']
STDOUT = b"".join(b"epoch %d loss 0.%d\n" % (i, i) for i in range(1, 41))
STDERR = b"".join(b'{"note": %d}\n' % i for i in range(1, 41))


def without(lines, *words):
    """Nothing of the log or of the tool may stand within a line of the command's."""
    return b"".join(line for line in lines.splitlines(True) if not line.startswith(words))


def fail_memory(work, n):
    """Whether it came so far."""
    work.mkdir()
    environment = clean_environment({"LD_PRELOAD": str(TOOLS / "nth_malloc.so"), "NTH_MALLOC": str(n)})
    done = subprocess.run([AGENT, "run", "--to", "results", "--job", "j", "--", *COMMAND], cwd=work, capture_output=True,
                          stdin=subprocess.DEVNULL, env=environment)
    if done.returncode == 3:
        assert done.stdout == STDOUT and without(done.stderr, b"nth_malloc:", b"experiments-agent:") == STDERR, done.stderr
        status = json.loads((work / "results" / "j.json").read_text())["status"]
        assert status["attempt"].get("exitCode") == 3 or b"results/j.json: cannot be written" in done.stderr, done.stderr
    else:
        assert (done.returncode, done.stdout) == (1, b"") and b"experiments-agent: error: " in done.stderr, done.stderr
    return b"nth_malloc:" in done.stderr


def test_memory_that_is_short_harms_no_command(tmp_path):
    n, stride = 1, 1 if "EXPERIMENTS_FAULTS_LONG" in os.environ else 3
    while fail_memory(tmp_path / str(n), n):
        n += stride
    assert n > 100
