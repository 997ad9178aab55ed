"""What the agent remembers of the socket's clients, and over a kill."""

import contextlib

from agent.test_socket import agent, hear, report, say  # noqa: F401 (a fixture)

REMEMBERED = 2048


def come(agent, names, *messages):  # noqa: F811
    """Clients of those names come, each says that, hears its welcome and that all is kept; and they go. What was kept
    of each before."""
    before = []
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(agent.connect()) for _ in names]
        for client, name in zip(clients, names):
            say(client, {"hello": {"client": name}}, *messages, {"ping": {}})
        for client in clients:
            welcome, kept = hear(client, 2)
            assert "kept" in kept
            before.append(welcome["welcome"].get("kept"))
    return before


def test_the_clients_heard_last_are_remembered_over_a_kill(agent):  # noqa: F811
    names = [f"c{i}" for i in range(REMEMBERED + 2)]
    come(agent, names[:2], report(1, 1, loss=1))
    for at in range(2, len(names), 512):
        come(agent, names[at:at + 512], report(1, 2, loss=1))
    agent.kill()
    agent.start()
    for at in range(2, len(names), 512):
        assert set(come(agent, names[at:at + 512])) == {1}
    assert come(agent, names[:2]) == [None, None]


def test_numbers_that_nobody_can_have_left_out(agent):  # noqa: F811
    for i in range(3):
        come(agent, [f"c{i}"], report(9007199254740991, i, loss=1))
    assert agent.end()["agent"]["dropped"] == 9007199254740991
