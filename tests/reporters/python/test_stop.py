"""A stop that is requested in a Result's spec, from a real API server to a training in Python."""

from cluster.fixtures import *  # noqa: F401,F403
from publish.conftest import results, start as start_in_cluster  # noqa: F401


def test_a_training_hears_of_a_stop_and_ends_well(start_in_cluster, results, api, train, here):
    socket = here / "agent.sock"
    agent = start_in_cluster("stopped", "--watch", "--socket", str(socket))
    agent.wait_for_log("listening")
    trainer = train("""
        import experiments
        epoch = 0
        while not experiments.should_stop():
            epoch += 1
            experiments.report(epoch=epoch, loss=1 / epoch)
            experiments.flush(0.01)
            if epoch == 1:
                print(experiments.stop_reason(), flush=True)
        print(experiments.stop_reason())
    """, EXPERIMENTS_SOCKET=str(socket))
    assert trainer.hear() == "None"
    results.wait_for_accepted("stopped", 1)
    patch = {"spec": {"stop": {"requested": True, "reason": "median rule"}}}
    assert api.patch(f"{results.path}/stopped", patch).status == 200
    err, out = trainer.end()
    assert (err, out) == ("", "median rule\n")
    agent.stop()
    assert results.get("stopped")["status"]["phase"] == "Stopped"
