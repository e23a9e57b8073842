"""The speaker against Debian's keepalived, in network namespaces, with tshark as the judge of the wire.

  /usr/bin/python3 -m pytest -q tests/vrrp_node        (as root; VRRP_NODE names the program)

Each case: the two start as backups, ours with the higher or the lower priority; one becomes active, is stopped, the
other takes over.
"""

import os
import pathlib
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE = os.environ.get("VRRP_NODE", str(ROOT / "build/dev/bin/vrrp_node"))
V4, V6 = "10.77.0.100", "fe80::77:100"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


class Net:
    """Two nodes, a and b, on one bridge."""

    def __init__(self, folder):
        self.folder, self.prefix, self.processes = folder, f"vrrp{os.getpid()}", []
        for name in "sab":
            run("ip", "netns", "add", f"{self.prefix}{name}")
            run("ip", "-n", self.prefix + name, "link", "set", "lo", "up")
        switch = self.prefix + "s"
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0",
            "mcast_snooping", "0")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for number, name in enumerate("ab", 1):
            run("ip", "link", "add", f"v{name}", "netns", switch, "type", "veth", "peer", "name", "eth0", "netns",
                self.prefix + name)
            self.enter(name, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
            run("ip", "-n", switch, "link", "set", f"v{name}", "master", "br0", "up")
            run("ip", "-n", self.prefix + name, "link", "set", "eth0", "up")
            run("ip", "-n", self.prefix + name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            run("ip", "-n", self.prefix + name, "addr", "add", f"fe80::77:{number}/64", "dev", "eth0", "nodad")
            for line in run("ip", "-n", self.prefix + name, "-o", "-6", "addr", "show", "dev", "eth0").splitlines():
                address = line.split()[3]
                if not address.startswith("fe80::77:"):
                    run("ip", "-n", self.prefix + name, "addr", "del", address, "dev", "eth0")

    def enter(self, name, *command):
        return run("ip", "netns", "exec", self.prefix + name, *command)

    def spawn(self, name, *command, **options):
        process = subprocess.Popen(["ip", "netns", "exec", self.prefix + name, *command], text=True, **options)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for name in "sab":
            subprocess.run(["ip", "netns", "del", self.prefix + name], check=False)


@pytest.fixture
def net(tmp_path):
    made = Net(tmp_path)
    yield made
    made.close()


class Ours:
    def __init__(self, net, priority, interval_ms, version, address, unicast, checksum="rfc5798", preempt=1):
        self.path = net.folder / "ours.log"
        # keepalived 2.2.7 sends unicast over IPv6 with the kernel's hop limit of 64.
        peers = (["10.77.0.2"] if address == V4 else ["fe80::77:2", "64"]) if unicast else []
        with open(self.path, "w") as log:
            self.process = net.spawn("a", NODE, "eth0", "51", str(priority), str(interval_ms), str(version), checksum,
                                     str(preempt), address, *peers, stdin=subprocess.PIPE, stdout=log,
                                     stderr=subprocess.STDOUT)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def log(self):
        return self.path.read_text()

    def is_active(self):
        lines = [line for line in self.log().splitlines() if " transition " in line]
        return bool(lines) and " ACTIVE:" in lines[-1]

    def changed_at(self):
        """By CLOCK_MONOTONIC, as time.monotonic() is."""
        return float([line for line in self.log().splitlines() if " transition " in line][-1].split()[0])

    def status(self):
        self.say("status")
        wait_for(lambda: " status " in self.log(), 5)
        return self.log().splitlines()[-1]


class Keepalived:
    def __init__(self, net, priority, interval_ms, version, address, unicast, more=""):
        self.net, self.address = net, address
        peers = ""
        if unicast:
            own, other = ("10.77.0.2", "10.77.0.1") if address == V4 else ("fe80::77:2", "fe80::77:1")
            peers = f"unicast_src_ip {own}\n unicast_peer {{ {other} }}"
        config = net.folder / "ka.conf"
        config.write_text(f"""global_defs {{ router_id b
 vrrp_version {version}
 vrrp_garp_master_delay 1
}}
vrrp_instance VI_1 {{ state BACKUP
 interface eth0
 virtual_router_id 51
 priority {priority}
 advert_int {interval_ms / 1000:g}
 {peers}
 {more}
 virtual_ipaddress {{ {address}/{24 if address == V4 else 64} }}
}}
""")
        with open(net.folder / "ka.log", "w") as log:
            self.process = net.spawn("b", "keepalived", "-P", "-n", "-l", "-D", "-f", str(config), "-p",
                                     str(net.folder / "ka.pid"), "-r", str(net.folder / "vrrp.pid"), stdout=log,
                                     stderr=subprocess.STDOUT)

    def is_active(self):
        log = (self.net.folder / "ka.log").read_text()
        states = [line for line in log.splitlines() if "Entering" in line and "STATE" in line]
        return bool(states) and "MASTER" in states[-1]

    def stop(self):
        pid = int((self.net.folder / "ka.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        self.process.wait(10)


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def judge_wire(net, capture, ours):
    """Nothing malformed, every checksum good, TTL 255 and CS6 from us."""
    fields = ["ip.src", "ipv6.src", "ip.ttl", "ipv6.hlim", "ip.dsfield.dscp", "ipv6.tclass.dscp",
              "vrrp.checksum.status", "_ws.malformed"]
    words = [word for field in fields for word in ("-e", field)]
    rows = [row.split("\t") for row in run("tshark", "-r", str(capture), "-Y", "vrrp", "-T", "fields",
                                           *words).splitlines()]
    mine = [row for row in rows if row[0] == ours or row[1] == ours]
    assert len(mine) > 2, rows
    for row in mine:
        assert (row[2] or row[3]) == "255" and (row[4] or row[5]) == "48", row
        assert row[6] == "1" and row[7:] in ([], [""]), row


CASES = [(version, address, unicast, interval)
         for version, address in ((3, V4), (3, V6), (2, V4)) for unicast in (False, True)
         for interval in ((1000,) if version == 2 else (1000, 100, 10))]


@pytest.mark.parametrize("version,address,unicast,interval", CASES)
@pytest.mark.parametrize("ours_first", [True, False])
def test_each_takes_over_from_the_other(net, version, address, unicast, interval, ours_first):
    capture = net.folder / "wire.pcap"
    sniffer = net.spawn("s", "tcpdump", "-i", "br0", "--immediate-mode", "-U", "-w", str(capture), "ip proto 112 or ip6 proto 112",
                        stderr=subprocess.DEVNULL)
    wait_for(capture.exists, 5)
    ours = Ours(net, 150 if ours_first else 90, interval, version, address, unicast)
    theirs = Keepalived(net, 100, interval, version, address, unicast)
    patience = 5 * max(interval / 1000, 0.2) + 2
    first, second = (ours, theirs) if ours_first else (theirs, ours)
    wait_for(first.is_active, 2 * patience)
    time.sleep(max(5 * interval / 1000, 0.3))
    wait_for(lambda: first.is_active() and not second.is_active(), patience)
    before = time.monotonic()
    ours.say("stop") if ours_first else theirs.stop()
    wait_for(second.is_active, patience)
    took = time.monotonic() - before
    if second is ours:  # keepalived says its last word before it is gone
        took = ours.changed_at() - before
    print(f"v{version} {address} {'unicast' if unicast else 'multicast'} {interval} ms "
          f"{'ours' if ours_first else 'theirs'} stopped: {took:.3f} s")
    if not ours_first:
        time.sleep(max(3 * interval / 1000, 0.1))
    status = ours.status()
    faults = [word for word in ("checksum=", "ttl=", "version=", "short=", "length=") if f" {word}" in status]
    assert not faults, status
    time.sleep(0.1)
    sniffer.terminate()
    sniffer.wait(5)
    judge_wire(net, capture, "10.77.0.1" if address == V4 else "fe80::77:1")


def test_a_planned_move_gives_way_to_keepalived_and_release_takes_it_back(net):
    ours = Ours(net, 150, 100, 3, V4, False)
    theirs = Keepalived(net, 100, 100, 3, V4, False)
    wait_for(ours.is_active, 5)
    time.sleep(1)
    ours.say("move")
    wait_for(lambda: theirs.is_active() and "lease none" in ours.log(), 3)
    time.sleep(1)
    assert not ours.is_active()
    ours.say("release")
    wait_for(lambda: ours.is_active() and not theirs.is_active(), 3)


def test_a_planned_restart_is_not_felt(net):
    ours = Ours(net, 150, 100, 3, V4, False)
    theirs = Keepalived(net, 100, 100, 3, V4, False)
    wait_for(ours.is_active, 5)
    time.sleep(1)
    ours.say("restart 2000")
    wait_for(lambda: " prepared " in ours.log(), 2)
    ours.say("abandon")
    time.sleep(1.8)
    assert not theirs.is_active()
