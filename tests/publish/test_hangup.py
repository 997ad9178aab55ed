"""Signals, where they are about the server: what is known goes out at once, and new credentials are taken."""

import signal

from agent.harness import append, curve, wait_for_kept
from faults.proxy import Hold, Reply
from publish.test_replies import STATUS


def test_what_is_known_is_published_at_once(start_through, proxy, results, tmp_path):
    """The pod is asked for the exit code, and that takes its time: the agent may be killed meanwhile."""
    agent = start_through("known", "--interval", "1h,1h", env={"POD_NAME": "known-abcde"})
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("known", 1)
    hold = proxy.add(Hold(), method="GET", path="/pods/")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    wait_for_kept(agent.dir, 2)
    agent.process.terminate()
    status = results.wait_for_accepted("known", 2)["status"]
    assert curve(status, "loss") == {1: 1, 2: 0.5} and status["phase"] == "Running"
    agent.process.kill()
    agent.process.wait()
    hold.release()


def test_a_hangup_ends_waiting(start_through, proxy, results):
    """The server wants to be asked again in an hour; a person knows better."""
    agent = start_through("waiting")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("waiting", 1)
    proxy.add(Reply(503, {"Retry-After": "3600"}, STATUS % ("later", "ServiceUnavailable", 503)), method="PATCH", times=1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("trying again")
    agent.process.send_signal(signal.SIGHUP)
    results.wait_for_accepted("waiting", 2)
    agent.stop()


def test_certificates_are_read_again(start, proxy, results, cluster, tmp_path):
    """The file first holds another's certificates, then the right ones."""
    ca_file = tmp_path / "ca.crt"
    with open(cluster.ca_file) as right:
        ca_file.write_text(right.read())
    agent = start("rotated", server=proxy.server, ca_file=ca_file)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("unreachable")
    with open(proxy.ca_file) as right:
        ca_file.write_text(right.read())
    agent.process.send_signal(signal.SIGHUP)
    results.wait_for_accepted("rotated", 1)
    # A file that cannot be read is said by its name, and waited for.
    ca_file.rename(tmp_path / "away")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log(f"certificates {ca_file}: No such file")
    (tmp_path / "away").rename(ca_file)
    agent.process.send_signal(signal.SIGHUP)
    results.wait_for_accepted("rotated", 2)
    agent.stop()


def test_a_connection_of_other_certificates_is_not_used_again(start, proxy, results, cluster, tmp_path):
    """What is trusted no more is not talked to any more, though the connection is still open."""
    ca_file = tmp_path / "ca.crt"
    with open(proxy.ca_file) as right:
        ca_file.write_text(right.read())
    agent = start("distrusted", server=proxy.server, ca_file=ca_file)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("distrusted", 1)
    with open(cluster.ca_file) as other:
        ca_file.write_text(other.read())
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("unreachable")
    assert results.get("distrusted")["status"]["agent"]["accepted"] == 1
