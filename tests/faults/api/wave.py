"""Several lives side by side on one API server, which has its own faults meanwhile."""

import os
import random
import threading
import time

from cluster import objects

from .life import Life


class Wave:
    """Seeds first to first + n - 1. Each server fault is drawn from the first."""

    def __init__(self, first, n, directory, cluster):
        self.chance = random.Random(f"wave {first}")
        self.cluster, self.api = cluster, cluster.api()
        self.namespace = objects.create_namespace(self.api, f"wave-{first}-{os.getpid()}")
        self.lives = [Life(seed, directory, cluster, self.namespace, self.make_token) for seed in range(first, first + n)]
        self.done, self.changed = 0, threading.Condition()
        self.wrong = {}

    def make_token(self, pod):
        """As the kubelet mounts it into that pod."""
        bound = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        reply = self.api.post(objects.path("ServiceAccount", self.namespace, objects.AGENT, "v1", "token"),
                              {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                               "spec": {"expirationSeconds": 86400, "boundObjectRef": bound}})
        assert reply.status == 201, reply
        token = reply.body["status"]["token"]
        asked = self.cluster.api(token)
        while asked.get(objects.path("Result", self.namespace, "none")).status == 403:
            time.sleep(0.02)  # the server reads roles as it comes to it, and tells nobody when it has
        return token

    # --- the lives ---

    def made_a_step(self):
        with self.changed:
            self.done += 1
            self.changed.notify_all()

    def live(self, life):
        left = life.steps
        try:
            with life:
                try:
                    for left in range(life.steps, 0, -1):
                        self.server_is_there.wait()
                        life.step()
                        self.made_a_step()
                    left = 0
                    self.over.wait()  # the server's faults, too
                    life.end()
                    life.deliver_late()
                finally:
                    life.log = life.agent.log
            self.wrong[life.seed] = life.check(self.api)
        except BaseException as error:  # of a thread: told by the test
            self.wrong[life.seed] = f"{type(error).__name__}: {error}"
        finally:
            for _ in range(left):
                self.made_a_step()

    # --- the server ---

    def wait_for_steps(self, n):
        with self.changed:
            self.changed.wait_for(lambda: self.done >= n)

    def freeze(self):
        """etcd stands still for a moment; what was asked meanwhile is answered late."""
        with self.cluster.paused_etcd():
            self.wait_for_steps(min(self.done + len(self.lives) / 2, self.steps))

    def trouble_server(self):
        """A snapshot, and later everything goes back to it; a frozen etcd; a server that is restarted."""
        events = ["snapshot", "restore"]
        for event in self.chance.sample(["freeze", "restart"], self.chance.randrange(0, 2)):
            events.insert(self.chance.randrange(3), event)
        calls = {"snapshot": self.cluster.snapshot_etcd, "restore": self.cluster.restore_etcd,
                 "freeze": self.freeze, "restart": self.cluster.restart_apiserver}
        at = sorted(self.chance.random() * self.steps for _ in events)
        for event, step in zip(events, at):
            self.wait_for_steps(step)
            if event in ("restart", "restore"):
                self.server_is_there.clear()  # each life's next step goes into the outage, not all that are left
            calls[event]()
            self.server_is_there.set()

    def run(self):
        """Returns {seed: what is wrong with it}, for those with which something is."""
        self.over, self.server_is_there = threading.Event(), threading.Event()
        self.server_is_there.set()
        self.steps = sum(life.steps for life in self.lives)
        for life in self.lives:
            life.prepare(self.api)
        threads = [threading.Thread(target=self.live, args=[life]) for life in self.lives]
        for thread in threads:
            thread.start()
        try:
            self.trouble_server()
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        self.wrong["objects"] = self.check_objects()
        return {seed: what for seed, what in self.wrong.items() if what}

    def check_objects(self):
        """One Result for each life, and no other."""
        found = self.api.get(objects.path("Result", self.namespace)).body["items"]
        names = {result["metadata"]["name"] for result in found}
        odd = names ^ {life.job for life in self.lives}
        return f"missing, or too many: {sorted(odd)}" if odd or len(names) != len(found) else ""
