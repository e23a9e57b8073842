"""What an instance tracks: down is a fault, or costs priority, and why is told in words."""

import os
import stat
import time

import pytest

from lab import figure, wait_until
from test_vrrp import configure, start
from vrrp_lab import NO_CHECK, instance, vrrp_toml, wait_for_state

PREFIX = "192.0.2.0/24"
FAST_CHECK = '{ type = "http", path = "/health", interval = "100ms", timeout = "90ms", rise = 1, fall = 1 }'
SCRIPT_TIMES = {"interval": "200ms", "timeout": "100ms"}


class Port:
    """The cable of the port, at the switch."""
    track, words, check = {"port": "wan"}, "the link is down", NO_CHECK

    def __init__(self, lab):
        self.lab = lab

    def prepare(self):
        pass

    def take_down(self):
        self.lab.ip("sw", "link", "set", "v-lb", "down")

    def bring_up(self):
        self.lab.ip("sw", "link", "set", "v-lb", "up")


class Service(Port):
    track, check = {"service": "web"}, FAST_CHECK
    words = "servers can take connections, the quorum is 3"

    def take_down(self):
        for name in ("rs1", "rs2"):
            self.lab.processes[f"nginx-{name}"].stop()
        self.lab.exec("rs3", "nft", "add table inet t; add chain inet t in { type filter hook input priority 0; }; "
                                    "add rule inet t in meta nfproto ipv6 tcp dport 80 reject with tcp reset")

    def bring_up(self):
        for name in ("rs1", "rs2"):
            self.lab.start_nginx(name)
        self.lab.exec("rs3", "nft", "delete table inet t")


class File(Port):
    words, up_if = "missing", "exists"

    def __init__(self, lab):
        super().__init__(lab)
        self.path = lab.dir / "tracked"
        self.track = {"file": str(self.path), "up_if": self.up_if}

    def prepare(self):
        self.path.touch()

    def take_down(self):
        self.path.unlink()

    def bring_up(self):
        self.path.touch()


class FileThatShouldNotBe(File):
    words, up_if = "exists", "missing"
    prepare, take_down, bring_up = File.take_down, File.bring_up, File.take_down

    def prepare(self):
        pass


class Route(Port):
    track, words = {"route": PREFIX}, "the kernel has no such route"

    def prepare(self):
        self.bring_up()

    def take_down(self):
        self.lab.ip("lb", "route", "del", PREFIX)

    def bring_up(self):
        # By the twin, which is there as soon as the dataplane is.
        self.lab.ip("lb", "route", "add", PREFIX, "dev", "wan", "metric", "50")


class Script(Port):
    words = "exit 3: BGP session down"
    down = "echo BGP session down; exit 3"

    def __init__(self, lab):
        super().__init__(lab)
        self.path, self.user = lab.dir / "check", lab.dir / "user"
        self.track = {"script": [str(self.path), "bgp"], **SCRIPT_TIMES}
        self.user.touch()
        self.user.chmod(0o666)
        self.write("exit 0")

    def write(self, rest):
        # In one step: a script that is being written cannot be run.
        new = self.path.with_suffix(".new")
        new.write_text('#!/bin/sh\n[ "$1" = bgp ] || exit 9\n'
                       f'echo "$(id -un) $(id -Gn) $(pwd)" > {self.user}\n{rest}\n')
        new.chmod(0o755)
        new.rename(self.path)

    def take_down(self):
        self.write(self.down)

    def bring_up(self):
        self.write("exit 0")
        assert self.user.read_text() == "nobody nogroup /\n"


class SlowScript(Script):
    words, down = "timed out after 100ms", "sleep 30"


KINDS = [Port, Service, File, FileThatShouldNotBe, Route, Script, SlowScript]


def begin(lab, kind, weight):
    thing = kind(lab)
    os.chmod(lab.dir, 0o755)
    track = [{**thing.track, **({"weight": weight} if weight else {})}]
    # A weight of one that never preempts can never change an election, which is refused.
    vrrp = {"track": track, "preempt": True}
    service = lab.service_toml(check=thing.check, extra="quorum = 3" if kind is Service else "")
    configure(lab, service, **vrrp)
    lab.start_servers()
    lab.start_dataplane()
    thing.prepare()
    lab.start_ballastd()
    wait_for_state(lab, "ACTIVE")
    return thing


@pytest.mark.parametrize("kind", KINDS)
def test_down_is_a_fault(lab, kind):
    thing = begin(lab, kind, 0)
    shown = instance(lab)
    assert [each["standing"] for each in shown["tracks"]] == ["UP"] and shown["faults"] == []
    began = time.monotonic()
    thing.take_down()
    shown = wait_for_state(lab, "FAULT", 5)
    took = time.monotonic() - began
    figure(test="track", kind=kind.__name__, to_fault_ms=round(took * 1000))
    assert any(thing.words in fault for fault in shown["faults"]), shown["faults"]
    assert thing.words in shown["lastChange"]["reason"] and shown["routers"][0]["lease"] == "none"
    assert [each["standing"] for each in shown["tracks"]] == ["DOWN"] and thing.words in shown["tracks"][0]["text"]
    for words in (lab.ctl("vrrp").stdout, lab.ctl("vrrp", "show", "front").stdout):
        assert thing.words in words and "FAULT" in words
    assert "FAULT" in lab.ctl("status").stdout
    thing.bring_up()
    assert wait_for_state(lab, "ACTIVE", 8)["faults"] == []


@pytest.mark.parametrize("kind", [Service, File, Route, Script])
@pytest.mark.parametrize("weight", [-60, 60])
def test_down_costs_priority(lab, kind, weight):
    thing = begin(lab, kind, weight)
    up, down = (150, 90) if weight < 0 else (210, 150)
    assert instance(lab)["priority"] == up
    thing.take_down()
    wait_until(lambda: instance(lab)["priority"] == down, 5, "the lower priority")
    shown = instance(lab)
    assert shown["state"] == "ACTIVE" and shown["configuredPriority"] == 150 and shown["faults"] == []
    remark = f"(weight {weight:+}, priority {'90 of 150' if weight < 0 else '150'}): "
    words = lab.ctl("vrrp").stdout
    assert remark in words and thing.words in words, words
    thing.bring_up()
    wait_until(lambda: instance(lab)["priority"] == up, 8, "the priority")
    router = instance(lab)["routers"][0]
    assert (router["becameActive"], router["leftActive"]) == ("1", "0")


def test_a_change_has_to_last_and_scripts_count(lab):
    path, script = lab.dir / "tracked", Script(lab)
    os.chmod(lab.dir, 0o755)
    path.touch()
    start(lab, track=[{"file": str(path), "up_if": "exists", "down_delay": "600ms", "up_delay": "300ms"},
                      {**script.track, "rise": 2, "fall": 3}])
    path.unlink()
    time.sleep(0.3)
    path.touch()  # it did not last
    time.sleep(0.6)
    assert instance(lab)["state"] == "ACTIVE"
    began = time.monotonic()
    path.unlink()
    wait_for_state(lab, "FAULT", 3)
    assert time.monotonic() - began > 0.6
    path.touch()
    wait_for_state(lab, "ACTIVE", 3)
    began = time.monotonic()
    script.take_down()
    wait_for_state(lab, "FAULT", 3)
    assert time.monotonic() - began > 0.4  # three of them, one each 200 ms
    assert stat.S_IMODE(script.path.stat().st_mode) == 0o755


@pytest.mark.parametrize("track,words", [
    ([{"service": "wbe"}], "wbe"), ([{"file": "relative", "up_if": "exists"}], "relative"),
    ([{"file": "/x"}], "up_if"), ([{"script": "/x", "interval": "1s", "timeout": "2s"}], "timeout"),
    ([{"route": "10.0.0.1/8"}], "10.0.0.1/8"), ([{"service": "web", "weight": 254}], "254"),
    ([{"service": "web", "weight": 0}, {"service": "web"}], "service web")])
def test_what_could_never_work_is_refused_and_nothing_changes(lab, track, words):
    configure(lab)
    lab.start_dataplane()
    lab.start_ballastd()
    wait_for_state(lab, "ACTIVE")
    lab.write_ballast_toml(lab.service_toml(check=NO_CHECK), vrrp_toml(track=track))
    refused = lab.ctl("reload", check=False)
    assert refused.returncode != 0 and words in refused.stderr and "ballast.toml:" in refused.stderr, refused.stderr
    assert instance(lab)["tracks"] == [] and instance(lab)["state"] == "ACTIVE"
