"""What a process takes: memory, descriptors, watches, wake-ups, processor time; all from /proc."""

import os
import pathlib
import threading
import time


def memory(pid):
    """KiB by name: Anonymous (its own), Rss (shared with others too), ... of /proc/PID/smaps_rollup."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def wakeups(pid):
    return int(status(pid)["voluntary_ctxt_switches"])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def inotify_watches(pid):
    count = 0
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            count += entry.read_text().count("inotify wd:")
        except FileNotFoundError:  # closed meanwhile
            pass
    return count


class Peak:
    """The most anonymous memory (KiB) that a process has while the block runs. Looks a thousand times a second, and
    at the end at the kernel's own high-water mark, which is of all resident memory: less the file's pages it is a
    lower bound of what was anonymous."""

    def __init__(self, pid):
        self.pid = pid
        self.kib = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # proc(5): sets the mark anew
        self._thread.start()
        return self

    def _look(self):
        while not self._is_over.is_set():
            try:
                self.kib = max(self.kib, memory(self.pid)["Anonymous"])
            except (FileNotFoundError, ProcessLookupError):
                return
            time.sleep(0.001)  # the pace of the sampling: nothing is waited for

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        mark = {name: int(value.split()[0]) for name, value in status(self.pid).items() if value.endswith("kB")}
        self.kib = max(self.kib, mark["VmHWM"] - mark["RssFile"] - mark["RssShmem"])
