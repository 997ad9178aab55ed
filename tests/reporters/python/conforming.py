"""The client that tests/conformance looks at: what is read is reported with the package."""

import json
import os
import select
import sys

import experiments


def main():
    reporter = experiments.Reporter(os.environ["EXPERIMENTS_SOCKET"])
    told = None
    unread = b""
    more = True
    while more:
        if select.select([0], [], [], 0.02)[0]:
            data = os.read(0, 65536)
            more = bool(data)
            *lines, unread = (unread + data).split(b"\n")
            for line in filter(None, [*lines, b"" if more else unread]):
                fields = json.loads(line)
                x = {name: fields.pop(name) for name in ("epoch", "step") if name in fields}
                reporter.report(**x, metrics={name: float(value) for name, value in fields.items()})
        if reporter.should_stop() and told != reporter.stop_reason():
            told = reporter.stop_reason()
            print(f"stop: {told}", flush=True)
    while not reporter.flush(1) and not reporter.dropped():
        pass
    os._exit(0)  # what is measured here is the conversation, without an end


if __name__ == "__main__":
    sys.exit(main())
