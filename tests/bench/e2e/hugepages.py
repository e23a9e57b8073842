"""Hugepages for as long as a benchmark runs: what it adds to the machine's, it takes away again.

Only the difference is ever written, so that two benchmarks at once, or a service that has pages of its own, do not
lose theirs to each other.
"""

import contextlib
import fcntl
import pathlib
import re
import signal

POOL = pathlib.Path("/proc/sys/vm/nr_hugepages")
COMPACT = pathlib.Path("/proc/sys/vm/compact_memory")
LOCK = pathlib.Path("/run/lock/ballast-bench-hugepages.lock")
ATTEMPTS = 5
INTERRUPTS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def size_mb():
    """Of the default hugepage; pools of other sizes are left alone."""
    return int(re.search(r"Hugepagesize:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text())[1]) // 1024


@contextlib.contextmanager
def _undisturbed():
    """No signal between the pool and what we know of it, and no other run of this benchmark either."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        with open(LOCK, "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class Hugepages:
    """`with Hugepages(megabytes):` An error, and nothing taken, when the kernel has not so many left."""

    def __init__(self, megabytes):
        self.wanted = -(-megabytes // size_mb())
        self.taken = 0

    def __enter__(self):
        with _undisturbed():
            before = int(POOL.read_text())
            for _ in range(ATTEMPTS):  # compaction makes pages of what is free in pieces
                POOL.write_text(str(before + self.wanted))
                self.taken = int(POOL.read_text()) - before
                if self.taken >= self.wanted:
                    return self
                COMPACT.write_text("1")
            taken = self.taken
            self._give_back()
        raise RuntimeError(f"hugepages: {self.wanted} of {size_mb()} MiB wanted, {max(taken, 0)} to be had: free "
                           "memory, or stop what holds it")

    def _give_back(self):
        taken, self.taken = self.taken, 0
        if taken > 0:
            POOL.write_text(str(max(0, int(POOL.read_text()) - taken)))

    def __exit__(self, *_):
        with _undisturbed():
            self._give_back()
