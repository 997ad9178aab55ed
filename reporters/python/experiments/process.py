"""What a process knows of itself: where its agent is, which rank it has, what it is called."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, Optional

DIRECTORY = "/experiments"
SOCKET = "agent.sock"

# Of torchrun, Open MPI, MPICH and Intel MPI, Slurm. What mpirun starts in a batch script inherits the script's own of
# Slurm, which is 0. Lightning's launcher sets LOCAL_RANK alone.
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "LOCAL_RANK")


class Place(NamedTuple):
    """Where to report: the agent's socket, and the directory in which the agent looks for files; None: nowhere."""

    socket: Optional[str]
    directory: Optional[str]


def directory() -> str:
    return os.environ.get("EXPERIMENTS_DIR") or DIRECTORY


def is_switched_off() -> bool:
    return os.environ.get("EXPERIMENTS_SOCKET") == "none"


def find_place(socket: Optional[str] = None) -> Place:
    """The environment's, unless a socket is named."""
    if socket:
        return Place(socket, None)
    there = directory() if os.path.isdir(directory()) else None
    if is_switched_off():
        return Place(None, None)
    path = os.environ.get("EXPERIMENTS_SOCKET")
    return Place(path or (os.path.join(there, SOCKET) if there else None), there)


def find_rank() -> int:
    """Of this process in a distributed training; 0 outside of one."""
    distributed = sys.modules.get("torch.distributed")
    try:
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
    except Exception:  # a stranger's
        pass
    for name in RANKS:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 0


def every_rank_reports() -> bool:
    return os.environ.get("EXPERIMENTS_RANKS") == "all"


def is_worker(pid: int) -> bool:
    """Whether this is one that the training started to help it, whose end is not the training's: a child of the
    process pid, or one of multiprocessing, whatever way it was made."""
    if pid != os.getpid():
        return True
    multiprocessing = sys.modules.get("multiprocessing")
    return multiprocessing is not None and multiprocessing.parent_process() is not None


def program() -> str:
    """What people call this program."""
    return os.path.basename(sys.argv[0] if getattr(sys, "argv", None) else "") or "python"
