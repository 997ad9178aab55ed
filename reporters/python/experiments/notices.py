"""What the user is told, on the logger "experiments": each matter once, so that no log is flooded."""

from __future__ import annotations

from typing import Set

MATTERS = 1000  # so that names made up on the way cannot fill the memory

_told: Set[str] = set()


def notice(matter: str, text: str) -> None:
    """Logs text as a warning, unless something was said of this matter before."""
    if matter in _told or len(_told) >= MATTERS:
        return
    _told.add(matter)
    try:
        import logging  # only when there is something to say: it is half of what an import would cost

        logging.getLogger("experiments").warning("experiments: %s", text)
    except Exception:  # of a stranger's handler, or since sys.stderr is closed
        pass
