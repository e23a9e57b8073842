"""dpdk-testpmd as generator, sink and floor, driven through its own command line."""

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import time

from lab import Process, _die_with_parent

PROGRAM = "dpdk-testpmd"
# What flowgen sends, in every version: flow i goes from 10.254.0.0:1000 to 10.253.0.0 + i, port 1001, and to this MAC.
FIRST_ADDRESS, UDP_PORT = "10.253.0.0", 1001
FLOWGEN_MAC = "00:01:02:03:04:01"
MEMORY_MB = 192
PROMPT = b"testpmd> "


def is_installed():
    return shutil.which(PROGRAM) is not None


class Testpmd(Process):
    """One forwarding lcore on one core and one port, in a namespace of the lab's, which ends it if end() did not.

    It talks to a terminal: from a pipe it holds its output back.
    """

    def __init__(self, lab, name, namespace, core, vdev, mode, more=()):
        self.name, self.log, self.ended_by_us = name, lab.dir / f"{name}.log", False
        self.terminal, inner = pty.openpty()
        command = ["ip", "netns", "exec", lab.ns(namespace), PROGRAM, "--lcores", f"0@{core},1@{core}",
                   "--in-memory", "--single-file-segments", "--iova-mode=va", "--no-pci", "--no-telemetry",
                   "-m", str(MEMORY_MB), f"--vdev={vdev}", "--",
                   "-i", "--nb-cores=1", "--port-topology=loop", "--total-num-mbufs=8192", "--rxd=1024", "--txd=1024",
                   "--burst=32", "--no-lsc-interrupt", f"--forward-mode={mode}", *more]
        self.popen = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, preexec_fn=_die_with_parent,
                                      start_new_session=True)
        os.close(inner)
        lab.all_processes.append(self)
        self.wait_for_prompt(20)

    def wait_for_prompt(self, seconds):
        """What it says until it wants the next command."""
        said, deadline = b"", time.monotonic() + seconds
        with open(self.log, "ab") as log:
            while not said.endswith(PROMPT):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.name}: waited {seconds} s for its prompt: {_tail(said)}")
                readable, _, _ = select.select([self.terminal], [], [], 0.05)
                try:
                    more = os.read(self.terminal, 65536) if readable else b""
                except OSError:  # EIO: it has closed its end
                    more = b""
                log.write(more)
                said += more
                if not more and not self.running():
                    raise RuntimeError(f"{self.name} ended: {_tail(said)}")
        return said.decode(errors="replace")

    def say(self, command, seconds=10):
        os.write(self.terminal, command.encode() + b"\n")
        return self.wait_for_prompt(seconds)

    def mac(self):
        return re.search(r"MAC address: ([0-9A-Fa-f:]{17})", self.say("show port info 0"))[1].lower()

    def received(self):
        """Packets, and when they were counted."""
        now = time.monotonic()
        return int(re.search(r"RX-packets: (\d+)", self.say("show port stats 0"))[1]), now

    def end(self):
        """By its own command, which gives its devices back; by force when it does not listen."""
        if self.running():
            self.ended_by_us = True
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                os.write(self.terminal, b"stop\nquit\n")
                self.popen.wait(5)
        self.stop()
        os.close(self.terminal)


def _tail(said):
    return said.decode(errors="replace")[-1500:]
