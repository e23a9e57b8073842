"""ballastd and its dataplane as one node, Debian's keepalived as the other; tshark judges what is on the wire.

Each row of the table: the two meet with one of them first, by priority; the first is stopped, the other takes over; it
comes back and, as both preempt, has the addresses again.
"""

import os
import shutil
import signal
import time

import pytest

from lab import VIP4, VIP6, figure, wait_until
from vrrp_lab import INSTANCE, LINK_LOCAL, ROUTER, NO_CHECK, adverts, instance, router_of, vrrp_toml, wait_for_state
from wire import Capture

OUR4, THEIR4 = "10.9.0.10", "10.9.0.20"
OUR6, THEIR6 = "fe80::10", "fe80::20"

pytestmark = pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed")


class Keepalived:
    """In a namespace of its own, on the same switch."""

    def __init__(self, lab, row, priority):
        self.lab, self.row, self.priority = lab, row, priority
        self.path, self.state = lab.dir / "keepalived.conf", lab.dir / "keepalived.state"
        self.process = None
        lab.join("peer", "eth0", 20)
        lab.ip("peer", "addr", "add", f"{THEIR6}/64", "dev", "eth0", "nodad")
        self._forget_other_link_locals()
        if row.their_virtual_mac:  # its macvlan must not answer for addresses of eth0, and the other way round
            lab.sysctl("peer", net__ipv4__conf__all__arp_ignore=1, net__ipv4__conf__all__rp_filter=0)
        self.path.write_text(self._configuration())

    def _forget_other_link_locals(self):
        for line in self.lab.ip("peer", "-o", "-6", "addr", "show", "dev", "eth0", "scope", "link").stdout.splitlines():
            if THEIR6 not in line:
                self.lab.ip("peer", "addr", "del", line.split()[3], "dev", "eth0")

    def _configuration(self):
        row = self.row
        unicast = ""
        if row.unicast:
            own, other = (THEIR6, OUR6) if row.family == 6 else (THEIR4, OUR4)
            unicast = f"unicast_src_ip {own}\n unicast_peer {{\n {other}\n }}"
        notify = "\n".join(f' notify_{state} "/bin/sh -c \'echo {state} >> {self.state}\'"'
                           for state in ("master", "backup", "fault"))
        addresses = f"{LINK_LOCAL}/64\n {VIP6}/64" if row.family == 6 else f"{VIP4}/24"
        return f"""global_defs {{
 router_id peer
 vrrp_version {row.version}
 vrrp_garp_master_delay 1
 script_user root
}}
vrrp_instance VI_1 {{
 state BACKUP
 interface eth0
 virtual_router_id {ROUTER}
 priority {self.priority}
 advert_int {row.interval_ms / 1000:g}
 {unicast}
 {f"use_vmac vrrp.{ROUTER}" if row.their_virtual_mac else ""}
{notify}
 virtual_ipaddress {{
 {addresses}
 }}
}}
"""

    def start(self):
        for kind in ("ka", "vrrp", "check"):
            (self.lab.dir / f"{kind}.pid").unlink(missing_ok=True)
        self.process = self.lab.spawn("peer", "keepalived", "keepalived", "-P", "-n", "-l", "-D", "-f", self.path,
                                      "-p", self.lab.dir / "ka.pid", "-r", self.lab.dir / "vrrp.pid", "-c",
                                      self.lab.dir / "check.pid")

    def states(self):
        return self.state.read_text().split() if self.state.exists() else []

    def is_active(self):
        return self.states()[-1:] == ["master"]

    def begin_to_stop(self):
        """It says its last word at once, and goes a second later."""
        os.kill(int((self.lab.dir / "ka.pid").read_text()), signal.SIGTERM)

    def wait_for_end(self):
        self.process.popen.wait(10)


class Row:
    """family, version, interval, unicast, our and their virtual MAC, who is first."""

    def __init__(self, text):
        words = text.split()
        self.name = "-".join(words)
        self.family, self.version = int(words[0][-1]), int(words[1][-1])
        self.interval_ms = int(words[2].removesuffix("ms"))
        self.unicast = words[3] == "unicast"
        self.our_virtual_mac, self.their_virtual_mac = "our-mac" in words, "their-mac" in words
        self.we_are_first = "we-first" in words

    @property
    def vip(self):
        return VIP6 if self.family == 6 else VIP4

    def vrrp(self):
        more = {"version": 2} if self.version == 2 else {}
        if self.unicast:
            more["unicast_peers"] = [THEIR6 if self.family == 6 else THEIR4]
            if self.family == 6:
                more["minimum_ttl"] = 64  # what keepalived 2.2.7 sends
        return vrrp_toml(vips=(self.vip,), priority=150 if self.we_are_first else 90, preempt=True,
                         advert_interval=f"{self.interval_ms}ms", virtual_mac=self.our_virtual_mac, **more)


# Each value with each other at least once where they go together (version 2: IPv4, whole seconds), and at least twice.
TABLE = [Row(text) for text in """
    ipv4 v3 100ms multicast our-mac their-mac we-first
    ipv4 v3 100ms unicast - - they-first
    ipv4 v3 1000ms multicast - their-mac they-first
    ipv4 v3 1000ms unicast our-mac - we-first
    ipv4 v3 10ms multicast our-mac - they-first
    ipv4 v3 10ms unicast - - we-first
    ipv4 v2 1000ms multicast our-mac their-mac they-first
    ipv4 v2 1000ms multicast - - we-first
    ipv4 v2 1000ms unicast our-mac - they-first
    ipv6 v3 100ms multicast our-mac - we-first
    ipv6 v3 100ms unicast our-mac - they-first
    ipv6 v3 1000ms multicast our-mac their-mac they-first
    ipv6 v3 1000ms unicast - - we-first
    ipv6 v3 10ms multicast - their-mac we-first
    ipv6 v3 10ms unicast our-mac - they-first
""".strip().splitlines()]


def wire_is_good(capture, row):
    """Of either: nothing malformed, no bad checksum; of ours the right source and hop limit."""
    found = adverts(capture)
    assert found and not [each for each in found if each.ws_malformed or each.vrrp_checksum_status != "1"]
    ours = [each for each in found if (each.ip_src or each.ipv6_src) in (OUR4, OUR6)]
    theirs = [each for each in found if (each.ip_src or each.ipv6_src) in (THEIR4, THEIR6)]
    assert ours and theirs and len(ours) + len(theirs) == len(found), {each[1:4] for each in found}
    assert {each.ip_ttl or each.ipv6_hlim for each in ours} == {"255"}
    virtual = f"00:00:5e:00:0{1 if row.family == 4 else 2}:{ROUTER:02x}"
    macs = {each.eth_src for each in ours}
    assert (macs == {virtual}) if row.our_virtual_mac else (virtual not in macs), macs
    return len(ours), len(theirs)


def start_ours(lab, row):
    lab.write_ballast_toml(lab.service_toml(check=NO_CHECK, scheduler="mh"), row.vrrp())
    lab.start_dataplane()
    # The link-local address that it sends from, so that it can be a unicast peer.
    for line in lab.ip("lb", "-o", "-6", "addr", "show", "dev", "wan", "scope", "link").stdout.splitlines():
        lab.ip("lb", "addr", "del", line.split()[3], "dev", "wan")
    lab.ip("lb", "addr", "add", f"{OUR6}/64", "dev", "wan", "nodad")
    lab.start_ballastd()


def meet(lab, row):
    interval = row.interval_ms / 1000
    patience = 5 * interval + 3
    theirs = Keepalived(lab, row, 100)
    capture = Capture(lab, "sw", "br0", "proto 112 or ip6 proto 112")
    with capture:
        start_ours(lab, row)
        theirs.start()
        first_is_active = (lambda: instance(lab)["state"] == "ACTIVE" and not theirs.is_active()) if row.we_are_first \
            else (lambda: theirs.is_active() and instance(lab)["state"] == "BACKUP")
        wait_until(first_is_active, 2 * patience, "the higher priority to be active")
        time.sleep(2 * interval + 0.2)
        assert first_is_active()
        began = time.monotonic()
        if row.we_are_first:
            assert lab.processes["ballastd"].stop() == 0
            wait_until(theirs.is_active, patience, "keepalived to take over")
        else:
            theirs.begin_to_stop()
            wait_for_state(lab, "ACTIVE", patience)
        took = time.monotonic() - began
        if not row.we_are_first:
            theirs.wait_for_end()
            assert lab.who_answers(row.vip).startswith("rs")
        time.sleep(2 * interval)
        lab.start_ballastd() if row.we_are_first else theirs.start()
        wait_until(first_is_active, 2 * patience, "the higher priority to be active again")
        time.sleep(2 * interval + 0.2)
        assert first_is_active()
        if row.we_are_first:
            wait_until(lambda: lab.who_answers(row.vip, check=False).startswith("rs"), 5, "the service")
    ours, others = wire_is_good(capture, row)
    router = router_of(lab, row.family)
    faults = {fault["rule"] for fault in router["faults"]}
    figure(test="keepalived", row=row.name, take_over_ms=round(took * 1000), our_adverts=ours, their_adverts=others,
           faults=sorted(faults))
    assert not faults and router["peers"][0]["address"] in (THEIR4, THEIR6)
    assert router["peers"][0]["priority"] in (0, 100), router["peers"]
    assert INSTANCE in lab.ctl("vrrp").stdout


def test_each_takes_over_from_the_other_at_100_ms(lab):
    lab.start_servers()
    meet(lab, TABLE[0])


@pytest.mark.parametrize("row", TABLE[1:], ids=lambda row: row.name)
def test_the_rest_of_the_table(lab, row):
    lab.start_servers()
    meet(lab, row)
