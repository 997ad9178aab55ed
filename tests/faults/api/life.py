"""One seed's life: an agent behind a proxy of its own, with a trainer that writes and a network, a server
and people that do what they should not. All of it is drawn from the seed, but for how the threads meet."""

import contextlib
import http.client
import json
import os
import random

from cluster import objects
from faults import replies
from faults.proxy import (Cut, CutStream, Fault, FaultProxy, Hold, Late, LoseReply, LoseRequest, Pieces, Reply, Reset,
                          Truncate, Twice)
from publish.conftest import ClusterAgent

from .clock import Clock
from .oracle import Lines, compare


def kind_of(request, job):
    """What the agent wants with it: "job", "experiment", "look", "create", "report", "watch" or "other"."""
    if "watch=true" in request.query:
        return "watch"
    if request.path.endswith(f"/jobs/{job}"):
        return "job"
    if "/experiments/" in request.path:
        return "experiment"
    if request.method == "PATCH":
        return "report"
    if request.method == "POST":
        return "create"
    return "look" if request.path.endswith(f"/results/{job}") else "other"


def draw_from_network(chance, kind):
    """A fault that no server has a part in."""
    if kind in ("create", "report") and chance.random() < 0.4:
        return chance.choice([Twice(0), Twice(1), Late()])
    return chance.choice([
        LoseRequest, LoseReply, Truncate, Reset, lambda: Reset(forwards=True), lambda: Cut(chance.random()),
        lambda: Pieces(chance.choice([2, 10, 1000])), lambda: Hold(chance.random() / 5),
    ])()


def draw_fault(chance, kind, job):
    if kind == "watch":
        return chance.choice([lambda: CutStream(chance.randrange(2000)), LoseRequest, Reset,
                              lambda: chance.choice(replies.PASSING)(job), lambda: replies.gone(job)])()
    what = chance.random()
    if what < 0.45:
        return draw_from_network(chance, kind)
    if what < 0.75 or kind not in replies.LASTING:
        return chance.choice(replies.PASSING)(job)
    return chance.choice(replies.LASTING[kind])(job)


class Life:
    """As long as it is open, an agent runs."""

    def __init__(self, seed, directory, cluster, namespace, make_token):
        self.seed, self.chance = seed, random.Random(seed)
        self.directory = directory / f"seed-{seed}"
        self.directory.mkdir()
        self.job = f"seed-{seed}"
        self.cluster, self.namespace, self.make_token = cluster, namespace, make_token
        self.lines = Lines(seed)
        self.unfinished = ""
        self.log_of_the_dead = 0  # what agents before this one said
        self.faults = []       # all that were drawn, with the kind of request that met them
        self.rate = self.chance.choice([0.1, 0.3, 0.5, 0.8])
        self.steps = self.chance.randrange(15, 40)
        self.more = {}         # what the status says besides the lines
        self.env = {}
        self.owner = None
        self.flags = ["--interval", "1s,1s", *(["--watch"] if self.chance.random() < 0.3 else [])]

    # --- what is there before ---

    def prepare(self, api):
        """A Job, of an Experiment or not, and its pod. The agent is told which one that is, and will find that
        its trainer has ended well, or no such luck."""
        if self.chance.random() < 0.5:
            self.owner = objects.create(api, objects.experiment(self.namespace, f"of-{self.job}"))
            self.more["job_parameters"] = {"lr": 0.125}
        job = objects.create(api, objects.job(self.namespace, self.job, of=self.owner, parameters={"lr": 0.125}))
        self.owner = self.owner or job
        self.more["attempt"] = {"jobUID": job["metadata"]["uid"], "number": 1}
        pod = objects.create(api, objects.pod(self.namespace, f"{self.job}-abcde", of=job))
        self.token = self.make_token(pod)
        if self.chance.random() < 0.5:
            self.tell_pod(api, pod)

    def tell_pod(self, api, pod):
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        ended = {"name": "train", "image": "train", "imageID": "train", "ready": False, "restartCount": 0,
                 "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        reply = api.patch(objects.path("Pod", self.namespace, name, "v1", "status"),
                          {"status": {"containerStatuses": [ended]}})
        assert reply.status == 200, reply
        self.env = {"POD_NAME": name, "POD_UID": uid}
        self.more["attempt"] |= {"podName": name, "podUID": uid, "exitCode": 0, "restarts": 0, "reason": "Completed"}

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.proxy = self.stack.enter_context(FaultProxy(self.cluster.server, self.cluster.ca_file))
        self.proxy.otherwise = self.meet
        self.stack.callback(lambda: self.agent.close())
        os.mkfifo(self.directory / "clock")
        self.clock = Clock(self.directory / "clock", self.proxy)
        self.stack.callback(self.clock.close)
        self.start()
        return self

    def __exit__(self, *_):
        self.proxy.otherwise = lambda request: Fault()
        self.stack.close()

    def start(self):
        self.agent = ClusterAgent(self.directory, self.proxy.server, self.proxy.ca_file, self.token, self.namespace,
                                  self.job, self.flags, self.env)

    # --- faults ---

    def meet(self, request):
        if self.chance.random() >= self.rate:
            return Fault()
        kind = kind_of(request, self.job)
        fault = draw_fault(self.chance, kind, self.job)
        self.faults.append((kind, fault))
        return fault

    # --- time ---

    def pass_time(self, seconds, step=1):
        self.clock.pass_time(self.agent, seconds, step)

    def wait_for_request(self):
        """Until the agent has asked for something, time passing fast."""
        before = len(self.proxy.requests)
        while len(self.proxy.requests) == before:
            self.pass_time(1)

    # --- what happens ---

    def write(self):
        """Lines, and at times a part of one whose rest comes with the next."""
        text = self.unfinished + "".join(self.lines.next() for _ in range(self.chance.randrange(1, 6)))
        if self.chance.random() < 0.3:
            text += self.lines.next()
            cut = self.chance.randrange(1, len(text.splitlines()[-1]))
            text, self.unfinished = text[:-cut], text[-cut:]
        else:
            self.unfinished = ""
        self.put(text)

    def write_and_wait(self):
        self.write()
        self.wait_for_request()

    def put(self, text):
        with open(self.agent.metrics, "a") as file:
            file.write(text)

    def outage(self):
        """An hour at most without a server, in which the trainer goes on."""
        self.proxy.is_down = True
        for _ in range(self.chance.randrange(1, 4)):
            self.write()
            self.pass_time(self.chance.randrange(60, 1200), step=30)
        self.proxy.is_down = False

    def kill(self):
        self.agent.process.kill()
        self.agent.process.wait()
        self.log_of_the_dead = len(self.agent.log)
        self.start()
        self.wait_for_request()  # from then on it takes a SIGTERM as it should

    def deliver_late(self):
        """Requests that were held up somewhere arrive, after others that were sent later."""
        for _, fault in self.faults:
            if isinstance(fault, Late) and fault.forward and fault.status is None:
                with contextlib.suppress(OSError, http.client.HTTPException):  # the server is away
                    fault.deliver()

    def annotate(self):
        """Somebody else writes: the agent's fence does not hold any more."""
        self.as_administrator("PATCH", {"metadata": {"annotations": {"noted": str(self.chance.random())}}})

    def delete(self):
        self.as_administrator("DELETE")

    def request_stop(self):
        self.as_administrator("PATCH", {"spec": {"stop": {"requested": True, "reason": "no better than others"}}})

    def as_administrator(self, method, body=None):
        with contextlib.suppress(OSError, http.client.HTTPException):  # the server is away
            self.cluster.api().request(method, objects.path("Result", self.namespace, self.job), body,
                                       content_type="application/merge-patch+json", timeout_s=2)

    def step(self):
        self.chance.choices(
            [self.write_and_wait, self.write, self.wait_for_request, lambda: self.pass_time(self.chance.choice([2, 5, 40])),
             self.deliver_late, self.outage, self.kill, self.annotate, self.delete, self.request_stop],
            [12, 3, 4, 3, 3, 0.4, 0.7, 1, 0.5, 0.3])[0]()

    # --- the end ---

    def end(self):
        """Faults stop, what is written is complete, SIGTERM."""
        self.proxy.otherwise = lambda request: Fault()
        for _, fault in self.faults:
            if isinstance(fault, Hold):
                fault.release()
        self.put(self.unfinished + self.lines.next() + (self.lines.end() if self.chance.random() < 0.7 else ""))
        self.agent.stop()
        told, _, _ = self.agent.log[self.log_of_the_dead:].partition("reading what is left")
        if "a stop was requested" in told:
            self.more["phase"] = "Stopped"
        elif self.env:
            self.more["phase"] = "Succeeded"

    def check(self, api):
        """Says what is wrong; "" when the Result is what it has to be."""
        result = api.get(objects.path("Result", self.namespace, self.job)).body
        wrong = [compare(result.get("status", {}), self.lines, self.more)]
        owners = [owner["uid"] for owner in result.get("metadata", {}).get("ownerReferences", [])]
        if owners != [self.owner["metadata"]["uid"]]:
            wrong.append(f"owners: {owners}, expected {self.owner['kind']} {self.owner['metadata']['uid']}")
        wrong += self.unsaid()
        return "\n".join(filter(None, wrong))

    def unsaid(self):
        """A lasting refusal that the log does not have. An agent that is killed says nothing of the reply
        that it was waiting for."""
        log = self.agent.log
        for kind, fault in self.faults if not self.log_of_the_dead else []:
            if kind == "report" and isinstance(fault, Reply) and fault.status in (400, 403, 413, 415, 422):
                message = json.loads(fault.body)["message"]
                if message not in log:
                    yield f"the log does not say: {message}"
