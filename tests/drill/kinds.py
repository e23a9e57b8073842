"""The drills, one function each: what is done to a pair in steady state, under load.

A fault function gets a Scene and returns when all is well again. `KINDS` at the end names them, with how long each
takes, what it needs before, and by which of report.py's limits it is judged.
"""

import contextlib
import dataclasses
import signal
import time
from typing import Callable

from lab import VIP4, VIP6, wait_until

from .network import ASK_SECONDS, CONTROL, DATAPLANE, INSTANCE, PROGRAMS

ROUNDS = 20
AFTERWARDS = 1.5  # of load, when all should be well
MORE_SERVERS = 1000


@dataclasses.dataclass
class Scene:
    """A drill under way."""
    pair: object
    settings: object
    short: bool = False      # for tests: shorter, and fewer rounds
    rounds: int = ROUNDS
    windows: list = dataclasses.field(default_factory=list)  # where outages count one by one, else everywhere
    notes: list = dataclasses.field(default_factory=list)

    @property
    def lb1(self):
        return self.pair.lb1

    @property
    def lb2(self):
        return self.pair.lb2

    def hold(self, seconds=AFTERWARDS):
        time.sleep(seconds / 2 if self.short else seconds)

    def expect(self, node, state):
        node.wait_for_state(state, 10)


# ---- unplanned

def kill(*programs):
    def fault(scene):
        scene.lb1.kill(programs)
        scene.expect(scene.lb2, "ACTIVE")
        scene.hold()
        scene.lb1.start(programs)  # it returns as a backup, and that is not to be felt
        scene.expect(scene.lb1, "BACKUP")
        scene.hold()
    return fault


def freeze(*programs):
    def fault(scene):
        scene.lb1.signal(programs, signal.SIGSTOP)
        time.sleep(2 if scene.short else 5)
        scene.lb1.signal(programs, signal.SIGCONT)
        scene.expect(scene.lb2, "ACTIVE")
        scene.expect(scene.lb1, "BACKUP")
        scene.hold()
    return fault


def cut(side):
    def fault(scene):
        scene.pair.cut("lb1", side)
        scene.expect(scene.lb2, "ACTIVE")
        scene.hold()
        scene.pair.mend("lb1", side)
        scene.expect(scene.lb1, "BACKUP")
        scene.hold()
    return fault


def partition(scene):
    scene.pair.lose_between_nodes()
    time.sleep(3)
    scene.pair.heal_between_nodes()
    scene.expect(scene.lb1, "ACTIVE")
    scene.expect(scene.lb2, "BACKUP")
    scene.hold()


def loss(scene):
    scene.pair.lose_between_nodes("numgen random mod 100 < 20")
    time.sleep(4 if scene.short else 10)
    scene.pair.heal_between_nodes()
    scene.hold()
    scene.expect(scene.lb1, "ACTIVE")
    scene.expect(scene.lb2, "BACKUP")


def reboot(scene):
    for node in scene.pair.nodes:
        node.kill(PROGRAMS)
        node.forget_everything()
    time.sleep(0.5)
    for node in scene.pair.nodes:
        node.launch()
    for node in scene.pair.nodes:
        node.start()
    scene.pair.wait_for_service(scene.settings.vips)
    wait_until(lambda: sorted(node.state() for node in scene.pair.nodes) == ["ACTIVE", "BACKUP"], 15,
               "one active node and one backup", ASK_SECONDS)
    scene.hold()


# ---- planned

def moved_away(scene):
    scene.lb1.ctl("vrrp", "failover", INSTANCE)
    scene.expect(scene.lb2, "ACTIVE")


def failover(scene):
    moved_away(scene)
    scene.hold()


def failback(scene):
    scene.lb2.ctl("vrrp", "failover", INSTANCE)
    scene.expect(scene.lb1, "ACTIVE")
    scene.hold()


def release(scene):
    scene.lb1.ctl("vrrp", "release", INSTANCE)
    scene.expect(scene.lb1, "ACTIVE")
    scene.hold()


def stop(scene):
    scene.lb1.stop([CONTROL])
    scene.expect(scene.lb2, "ACTIVE")
    scene.hold()
    scene.lb1.start([CONTROL])
    scene.expect(scene.lb1, "BACKUP")
    scene.hold()


def preemption(scene):
    """Each round: the addresses move away by plan, the empty node restarts, and takes them back when it is ready."""
    for _ in range(scene.rounds):
        moved_away(scene)
        scene.lb1.stop()
        time.sleep(0.2)
        begin = time.monotonic()
        scene.lb1.start()
        scene.expect(scene.lb1, "ACTIVE")
        time.sleep(0.7)
        scene.windows.append((begin, time.monotonic()))
        scene.expect(scene.lb2, "BACKUP")


def restart(scene):
    scene.lb1.ctl("restart")
    wait_until(lambda: int(scene.lb1.ctl_json("status").get("uptimeSeconds", 99)) < 2, 10, "a new ballastd",
               ASK_SECONDS)
    scene.hold()
    scene.expect(scene.lb1, "ACTIVE")


def reload(scene):
    """Other weights, and a service with many servers that are down: on both nodes."""
    vip, network = {4: (VIP4, "10.80.{}.{}"), 6: (f"[{VIP6}]", "fd00:80::{:x}:{:x}")}[scene.settings.families[0]]
    servers = ",\n".join(f'{{ address = "{network.format(number // 250, number % 250 + 1)}" }}'
                         for number in range(MORE_SERVERS))
    more = (f'\n[[service]]\nname = "more"\nlisten = ["tcp/{vip}:8080"]\nserver = [\n{servers}\n]\n'
            'check = { type = "tcp", interval = "2s" }\n')
    web = scene.pair.web(scene.settings, weights={"rs1": 3, "rs2": 2})
    for node in scene.pair.nodes:
        node.configure(scene.settings, [web, more])
        node.ctl("reload")
    scene.hold(4)
    scene.expect(scene.lb1, "ACTIVE")


def busy(scene):
    """Eight loops that want a core each."""
    loops = [scene.pair.spawn("sw", f"busy-{number}", "sh", "-c", "while :; do :; done") for number in range(8)]
    try:
        time.sleep(5 if scene.short else 20)
    finally:
        for loop in loops:
            loop.stop(signal.SIGKILL)
    scene.hold(1)


# ---- keepalived

def keepalived_cut(scene, nodes):
    scene.pair.cut("ka1", "wan")
    nodes.wait_for_master("ka2")
    scene.hold(1)


def keepalived_stop(scene, nodes):
    nodes.process("ka1").stop(signal.SIGTERM)
    nodes.wait_for_master("ka2")
    scene.hold(1)


def keepalived_kill(scene, nodes):
    nodes.process("ka1").stop(signal.SIGKILL)
    nodes.wait_for_master("ka2")
    scene.hold(1)


def nothing(_):
    """No preparation."""


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    fault: Callable
    seconds: float           # about how long it takes
    limits: str              # in report.LIMITS
    what: str
    prepare: Callable = nothing
    preempt: bool = False
    interval_ms: int = 0     # 0: as the options say
    keepalived: bool = False

    def expected_seconds(self, rounds):
        return self.seconds * (rounds if self.fault is preemption else 1)


KINDS = {kind.name: kind for kind in (
    Kind("kill_dataplane", kill(DATAPLANE), 6, "unplanned", "kill -9 of the active node's dataplane"),
    Kind("kill_ballastd", kill(CONTROL), 6, "unplanned", "kill -9 of its ballastd"),
    Kind("kill_both", kill(*PROGRAMS), 6, "unplanned", "kill -9 of both"),
    Kind("freeze_dataplane", freeze(DATAPLANE), 8, "unplanned", "SIGSTOP of its dataplane for 5 s, then SIGCONT"),
    Kind("freeze_ballastd", freeze(CONTROL), 8, "unplanned", "SIGSTOP of its ballastd"),
    Kind("freeze_both", freeze(*PROGRAMS), 8, "unplanned", "SIGSTOP of both"),
    Kind("link_down_clients", cut("wan"), 6, "unplanned", "its cable to the clients is cut"),
    Kind("link_down_servers", cut("lan"), 6, "unplanned", "its cable to the servers is cut"),
    Kind("partition", partition, 6, "disagreement", "for 3 s the nodes do not hear each other; all else works"),
    Kind("loss20", loss, 12, "disagreement", "for 10 s each fifth frame between the nodes is lost"),
    Kind("reboot_both", reboot, 10, "no_node", "both nodes lose all that a reboot loses, and start"),
    Kind("planned_failover", failover, 3, "planned", "ballastctl vrrp failover on the active node"),
    Kind("planned_failback", failback, 3, "planned", "the same on the other one, which returns them",
         prepare=moved_away),
    Kind("planned_release", release, 3, "planned", "with preemption: ballastctl vrrp release brings them back",
         prepare=moved_away, preempt=True),
    Kind("sigterm_ballastd", stop, 6, "planned", "the active node's ballastd is stopped, and started later"),
    Kind("preemption", preemption, 2.2, "preemption", "a node that returns takes them back, each time", preempt=True),
    Kind("restart_ballastd", restart, 6, "nothing_moves", "ballastctl restart on the active node"),
    Kind("reload", reload, 6, "nothing_moves", "reload of both: other weights, 1000 servers more"),
    Kind("busy", busy, 21, "busy", "8 busy loops on all cores for 20 s"),
    Kind("busy_10ms", busy, 21, "busy_10ms", "the same with adverts every 10 ms", interval_ms=10),
    Kind("keepalived_link_down", keepalived_cut, 3, "keepalived", "keepalived: the cable is cut", keepalived=True),
    Kind("keepalived_sigterm", keepalived_stop, 3, "keepalived", "keepalived: the active one is stopped",
         keepalived=True),
    Kind("keepalived_kill", keepalived_kill, 3, "keepalived", "keepalived: kill -9 of all of the active one",
         keepalived=True),
)}


@contextlib.contextmanager
def mended(pair):
    """Whatever happens in it, nothing stays cut, lossy or frozen."""
    try:
        yield
    finally:
        pair.heal_between_nodes()
        for node in pair.nodes:
            for side in ("wan", "lan"):
                pair.mend(node.name, side)
            node.signal([program for program in PROGRAMS if node.running(program)], signal.SIGCONT)
