"""Reports a training to the experiments agent:

    import experiments

    for epoch in range(90):
        ...
        experiments.report(epoch=epoch, loss=loss, metrics={"val/acc": accuracy})
        if experiments.should_stop():
            break

Nothing has to be set up: the agent is found by itself, and where there is none nothing happens. These functions are the
methods of one Reporter.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, SupportsFloat

from .reporter import Path, Reporter

__all__ = ["Reporter", "dropped", "end", "flush", "log", "parameters", "report", "should_stop", "stop_deadline",
           "stop_reason", "unconfirmed"]

_reporter = Reporter()

report = _reporter.report
parameters = _reporter.parameters
end = _reporter.end
should_stop = _reporter.should_stop
stop_reason = _reporter.stop_reason
stop_deadline = _reporter.stop_deadline
flush = _reporter.flush
dropped = _reporter.dropped
unconfirmed = _reporter.unconfirmed


def log(*, epochs: Optional[SupportsFloat] = None, output: Optional[Path] = None,
        parameters: Optional[Mapping[str, Any]] = None) -> Reporter:
    """A training as a with-statement, which says how it ended: failed, when an exception leaves it.

        with experiments.log(epochs=90, parameters={"lr": 0.1}) as log:
            log.report(epoch=1, loss=0.5)
    """
    if epochs is not None or output is not None:
        _reporter.report(epochs=epochs, output=output)
    if parameters:
        _reporter.parameters(parameters)
    return _reporter
