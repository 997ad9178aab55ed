"""What a training calls: report(), and what goes with it."""

from __future__ import annotations

import atexit
import os
import sys
import time as clock
import weakref
from types import TracebackType
from typing import Any, Mapping, Optional, SupportsFloat, Tuple, Type, Union

from . import process
from .connection import Stop
from .delivery import Delivery
from .notices import notice
from .values import cut, field_text, metrics_text, parameters_text, path_text, quote

BUFFER_BYTES = 4 * 1024 * 1024
EXIT_SECONDS = 2.0  # that the end of the process may wait for acknowledgements

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class Reporter:
    """Reports a training to the agent. Most programs use the one behind experiments.report().

    socket: path of the agent's socket; without it the environment says where (EXPERIMENTS_SOCKET, EXPERIMENTS_DIR, else
    /experiments).
    rank: of this process in a distributed training. Without it the environment says so, and only rank 0 reports, unless
    EXPERIMENTS_RANKS is "all"; with it this process reports, whatever its rank.
    buffer_bytes: how much is kept for an agent that is away; when more comes the oldest is dropped.

    No method raises for anything that an agent, a network or a value does, and none but flush() and close() waits.
    All may be called from any thread, from signal handlers, and after a fork: a child is a client of its own.
    """

    def __init__(self, socket: Optional[str] = None, rank: Optional[int] = None, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._socket = socket
        self._rank = rank
        self._buffer_bytes = buffer_bytes
        self._pid = os.getpid()  # the process that says how it ended
        self._delivery = self._new_delivery()
        self._reported = self._ended = False
        _reporters.add(self)

    def _new_delivery(self) -> Delivery:
        return Delivery(self._socket, self._rank, self._buffer_bytes)

    # --- what a training calls ---

    def report(self, epoch: Optional[SupportsFloat] = None, step: Optional[SupportsFloat] = None, *,
               metrics: Optional[Mapping[str, SupportsFloat]] = None, time: Optional[SupportsFloat] = None,
               epochs: Optional[SupportsFloat] = None, output: Optional[Path] = None, checkpoint: Optional[Path] = None,
               **values: SupportsFloat) -> None:
        """Reports one moment of the training. Never waits and never raises.

        epoch: as the trainer counts, from 0 or from 1, whole or fractional. step: optimizer step or iteration.
        values, metrics: name and value; metrics is for names that are no identifiers: metrics={"val/acc": 0.9}. A value is
        a number, or an array or tensor of one element; NaN and infinities are values, too.
        time: seconds since 1970, by default now. epochs: how many the trainer intends.
        output: directory of the run's output on shared storage. checkpoint: path of a checkpoint that is complete.

        What cannot be sent (a text as a metric, a negative epoch) is left out, and named in the log once.
        """
        try:
            if self._delivery.silent:
                return
            fields = ""
            # The usual case first: this is the trainer's time.
            if epoch is not None:
                number = str(epoch) if type(epoch) is int and 0 <= epoch < 2**53 else field_text("epoch", epoch)
                if number:
                    fields = f',"epoch":{number}'
            if step is not None:
                number = str(step) if type(step) is int and 0 <= step < 2**53 else field_text("step", step)
                if number:
                    fields += f',"step":{number}'
            if epochs is not None or output is not None or checkpoint is not None:
                fields += _rare_fields(epochs, output, checkpoint)
            text = metrics_text({**metrics, **values} if metrics else values)
            if text:
                fields += f',"metrics":{{{text}}}'  # the last, as a metrics file needs it
            if not fields:
                return
            moment = field_text("time", time) if time is not None else None
            # Its own time, since it may have to wait for an agent.
            self._reported = True
            self._delivery.put("report", f',"time":{moment or "%.3f" % clock.time()}{fields}')
        except Exception as error:
            _unexpected(error)

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Adds hyperparameters of the run: numbers, texts, booleans or None; anything else as its text."""
        try:
            text = parameters_text(values)
            if text:
                self._reported = True
                self._delivery.put("parameters", f',"values":{{{text}}}')
        except Exception as error:
            _unexpected(error)

    def end(self, exit_status: int = 0, message: str = "") -> None:
        """Says that the training is over: 0: complete, anything else: failed. message: why, for people.

        A process of rank 0 that reported and does not say so itself says it at its exit: with 1 after an uncaught exception,
        with 0 else. Processes that it forked and workers of multiprocessing do not.
        """
        try:
            if self._delivery.silent:
                return
            status = exit_status if isinstance(exit_status, int) and -128 <= exit_status <= 255 else 1
            why = f',"message":{quote(cut(str(message), 1024))}' if message else ""
            self._reported = self._ended = True
            self._delivery.put("end", f',"exitStatus":{status}{why}')
        except Exception as error:
            _unexpected(error)

    def should_stop(self) -> bool:
        """Whether somebody asked the run to stop: write a checkpoint, and end with exit status 0.

        Works on every rank. Ranks may hear of it at different steps: let one decide for all where they depend on each other.
        """
        return self._stop() is not None

    def stop_reason(self) -> Optional[str]:
        """Why the run is to stop (may be empty); None: nobody asked for it."""
        stop = self._stop()
        return stop.reason if stop else None

    def stop_deadline(self) -> Optional[float]:
        """When the process will be killed, seconds since 1970; None: no time is set."""
        stop = self._stop()
        return stop.deadline if stop else None

    def flush(self, timeout: float = EXIT_SECONDS) -> bool:
        """Waits until the agent keeps everything that was reported, at most timeout seconds. Returns whether it does."""
        try:
            return self._delivery.flush(timeout)
        except Exception as error:
            _unexpected(error)
            return False

    def dropped(self) -> int:
        """How many messages are lost: the buffer was full while the agent was away, or the file could not be written."""
        return self._delivery.dropped

    def unconfirmed(self) -> int:
        """How many messages were sent and then forgotten before the agent acknowledged them, since the buffer was full.
        They are not among those dropped, and most likely kept."""
        return self._delivery.unconfirmed

    def close(self) -> None:
        """Says how the process ended, where nobody has; waits for acknowledgements 2 s at most; lets go of the agent."""
        try:
            self._close()
        except Exception as error:
            _unexpected(error)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        """Ends the training: with 1 and the exception's text where one ends the block."""
        self.end(*_status(error))
        self.flush(EXIT_SECONDS)

    # --- what goes on within ---

    def _stop(self) -> Optional[Stop]:
        try:
            return self._delivery.stop()
        except Exception as error:
            _unexpected(error)
            return None

    def _close(self) -> None:
        delivery = self._delivery
        if self._reported and not self._ended and delivery.rank == 0 and not process.is_worker(self._pid):
            self.end(*_last_status())
        delivery.give_up_waiting()
        if self._reported and not delivery.flush(EXIT_SECONDS):
            notice("lost", f"{delivery.n_waiting} messages are not acknowledged by the agent at the end")
        delivery.hang_up()

    def _forked(self) -> None:
        self._delivery.abandon()
        self._delivery = self._new_delivery()
        self._reported = self._ended = False


def _rare_fields(epochs: Any, output: Any, checkpoint: Any) -> str:
    texts = (("totalEpochs", epochs is not None and field_text("epochs", epochs, above_zero=True)),
             ("outputPath", output is not None and path_text("output", output)),
             ("checkpoint", checkpoint is not None and path_text("checkpoint", checkpoint)))
    return "".join(f',"{name}":{text}' for name, text in texts if text)


def _status(error: Optional[BaseException]) -> Tuple[int, str]:
    """Exit status and message of a process that this ends."""
    if error is None:
        return 0, ""
    if isinstance(error, SystemExit):
        code = error.code
        return (0, "") if code is None else (code, "") if isinstance(code, int) else (1, str(code))
    if isinstance(error, KeyboardInterrupt):
        return 130, "KeyboardInterrupt"
    return 1, f"{type(error).__name__}: {error}"


def _last_status() -> Tuple[int, str]:
    """Of this process at its exit. Python keeps an uncaught exception; an interactive session keeps any."""
    return _status(None if hasattr(sys, "ps1") else getattr(sys, "last_value", None))


def _unexpected(error: Exception) -> None:
    """A mistake of ours is not the training's."""
    notice(f"unexpected {type(error).__name__}", f"unexpected {type(error).__name__}: {error}")


# --- at the end of the process, and in its children ---

_reporters: "weakref.WeakSet[Reporter]" = weakref.WeakSet()


def _at_exit() -> None:
    for reporter in list(_reporters):
        reporter.close()


def _in_child() -> None:
    for reporter in list(_reporters):
        reporter._forked()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
