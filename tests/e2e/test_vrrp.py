"""One node with [[vrrp]]: it becomes active, says so, and stays it through reloads and restarts of ballastd."""

import json
import os
import signal
import time

import pytest

from lab import BIN, VIP4, VIP6, figure, wait_until
from test_announce import announcements
from test_node import neighbor
from vrrp_lab import INSTANCE, MAC4, MAC6, NO_CHECK, adverts, instance, largest_gap, router_of, vrrp_toml, \
    wait_for_state
from wire import Capture

ADVERTS = "proto 112 or ip6 proto 112"
WEB = [{"service": "web"}]
# A machine that is busy with other tests may be late; a timer that was started anew is later.
PATIENCE = 3


def configure(lab, *services, check=NO_CHECK, daemon="", **vrrp):
    lab.write_ballast_toml(*(services or [lab.service_toml(check=check, scheduler="mh")]), vrrp_toml(**vrrp),
                           daemon=daemon)


def start(lab, *services, **options):
    configure(lab, *services, **options)
    lab.start_servers()
    lab.start_dataplane()
    lab.start_ballastd()
    return wait_for_state(lab, "ACTIVE")


def judge_adverts(found, mac4, mac6, interval_ms=100, gap=True):
    assert {(each.eth_src, bool(each.ip_src)) for each in found} == {(mac4, True), (mac6, False)}
    for each in found:
        assert (each.ip_ttl or each.ipv6_hlim) == "255", each
        assert each.vrrp_checksum_status == "1" and not each.ws_malformed, each
    if gap:
        assert largest_gap(found) < PATIENCE * interval_ms / 1000


@pytest.mark.parametrize("virtual_mac", [True, False])
def test_a_node_alone_becomes_active_and_the_network_learns_where(lab, virtual_mac):
    configure(lab, virtual_mac=virtual_mac)
    lab.start_servers()
    lab.start_dataplane()
    with Capture(lab, "sw", "br0", f"arp or icmp6 or {ADVERTS}") as capture:
        lab.start_ballastd()
        wait_for_state(lab, "ACTIVE")
        time.sleep(1.3)
        for vip in (VIP4, VIP6):
            assert lab.who_answers(vip).startswith("rs")
            out = lab.exec("client", "ping", "-n", "-c", 3, "-i", "0.1", "-W", "2", vip).stdout
            assert " 3 received" in out and "DUP!" not in out
    mac4, mac6 = (MAC4, MAC6) if virtual_mac else 2 * (lab.port_mac(),)
    assert neighbor(lab, "client", VIP4) == [mac4] and neighbor(lab, "client", VIP6) == [mac6]
    found = adverts(capture)
    judge_adverts(found, mac4, mac6)
    assert {each.vrrp_prio for each in found} == {"150"}
    for frames, mac in zip(announcements(capture), (mac4, mac4, mac6)):
        # ballastd asks for five rounds, and the dataplane makes five of its own for a lease that begins: most are one.
        assert 3 <= len(frames) <= 10 and {row.eth_src for row in frames} == {mac}
    # Nobody says anything for a VIP from another MAC, and no frame of anybody is malformed.
    answers = capture.as_text(f"arp.src.proto_ipv4 == {VIP4} || icmpv6.nd.na.target_address == {VIP6}", "eth.src")
    assert set(answers.splitlines()[1:]) == {mac4, mac6}
    assert not capture.as_text("_ws.malformed", "frame.number").splitlines()[1:]
    shown = instance(lab)
    assert [each["virtualMac"] for each in shown["routers"]] == ([MAC4, MAC6] if virtual_mac else ["", ""])
    assert "no active router heard" in shown["lastChange"]["reason"] and shown["faults"] == []


def test_what_ballastctl_says_of_vrrp(lab):
    start(lab, check='{ type = "none" }', track=WEB)
    words = lab.ctl("vrrp", "list").stdout
    assert words == lab.ctl("vrrp").stdout and "ACTIVE" in words and "no active router heard for" in words
    assert "FAULT" not in words and "disagreement" not in words
    words = lab.ctl("vrrp", "show", INSTANCE).stdout
    for wanted in ("service web up", "virtual MAC 00:00:5e:00:01:33", "IPv6: ACTIVE, VRRP version 3", "nobody heard",
                   "6 servers can take connections, the quorum is 1"):
        assert wanted in words, words
    listed = lab.ctl_json("vrrp", "list")["instances"]
    assert [each["name"] for each in listed] == [INSTANCE]
    summary = lab.ctl_json("status")["vrrp"]
    assert [(each["name"], each["state"], each["priority"]) for each in summary] == [(INSTANCE, "ACTIVE", 150)]
    assert "this node is ACTIVE" in lab.ctl("status").stdout
    for command in ("show", "failover", "release"):
        refused = lab.ctl("vrrp", command, "fornt", check=False)
        assert refused.returncode != 0 and 'no vrrp instance or group "fornt": there is front' in refused.stderr


def test_a_failover_with_nobody_there_says_so_and_loses_nothing(lab):
    start(lab)
    with lab.load() as load:
        time.sleep(0.3)
        words = lab.ctl("vrrp", "failover", INSTANCE, check=False)
        wait_for_state(lab, "ACTIVE")
        answer = lab.ctl("vrrp", "failover", INSTANCE, "--json", check=False)
        time.sleep(0.3)
    assert words.returncode != 0 and answer.returncode != 0
    assert "no other router has taken the addresses over" in words.stdout and "active again" in words.stdout
    assert json.loads(answer.stdout)["nowActive"] == ""
    figure(test="failover_alone", requests=load.result["requests"], failed=load.result["failed"])
    assert load.result["failed"] == 0 and load.result["requests"] > 100, load.result
    shown = wait_for_state(lab, "ACTIVE")
    assert not shown["heldBack"] and int(shown["routers"][0]["becameActive"]) == 3
    assert lab.ctl("vrrp", "release", INSTANCE).returncode == 0


def many_servers(number):
    """A service of servers that nobody has: each is looked for as a neighbour."""
    servers = ",\n".join(f'  {{ address = "fd00:9::5:{i:x}" }}' for i in range(number))
    return (f'\n[[service]]\nname = "many"\nlisten = ["tcp/[{VIP6}]:81"]\nmode = "dr"\nscheduler = "rr"\n'
            f"check = {NO_CHECK}\nserver = [\n{servers}\n]\n")


def test_a_reload_moves_nothing_and_makes_no_advert_late(lab):
    web = lab.service_toml(check=NO_CHECK, scheduler="mh")
    start(lab, web)
    other = ("10.9.0.101", "fd00:9::101")
    changes = {
        "weights": ([lab.service_toml(check=NO_CHECK, scheduler="mh", weights={"rs1": 7})], {}),
        "more_vips": ([web, lab.service_toml("other", ("tcp/10.9.0.101:80", "tcp/[fd00:9::101]:80"), check=NO_CHECK)],
                      {"vips": (VIP4, VIP6, *other)}),
        "fewer_vips": ([web], {}),
        "servers": ([web, many_servers(300)], {}),
        "no_servers": ([web], {}),
        "priority": ([web], {"priority": 120}),
        "track": ([web], {"track": WEB}),
    }
    with Capture(lab, "sw", "br0", ADVERTS) as capture, lab.load() as load:
        for name, (services, vrrp) in changes.items():
            configure(lab, *services, **vrrp)
            lab.ctl("reload")
            time.sleep(0.3)
            found = instance(lab)
            assert found["state"] == "ACTIVE" and found["priority"] == vrrp.get("priority", 150), (name, found)
            if name == "more_vips":
                for vip in other:
                    assert lab.exec("client", "ping", "-n", "-c", 1, "-W", "2", vip).returncode == 0
                assert neighbor(lab, "client", other[0]) == [MAC4] and neighbor(lab, "client", other[1]) == [MAC6]
            if name == "fewer_vips":
                for vip in other:  # not of those under load: a request that waits for the MAC would fail with it
                    lab.ip("client", "neigh", "flush", "to", vip)
                    assert lab.exec("client", "ping", "-n", "-c", 1, "-W", "1", vip, check=False).returncode != 0
    found, router = adverts(capture), router_of(lab)
    figure(test="reload", largest_gap_ms=round(largest_gap(found) * 1000, 1), adverts=len(found),
           largest_lateness_ms=int(router["largestLatenessMicroseconds"]) / 1000, requests=load.result["requests"],
           failed=load.result["failed"])
    judge_adverts(found, MAC4, MAC6)
    assert (router["becameActive"], router["leftActive"], router["priorityZeroSent"]) == ("1", "0", "0")
    assert [each.vrrp_prio for each in found][-1] == "150" and "120" in {each.vrrp_prio for each in found}
    assert load.result["failed"] == 0, load.result


@pytest.mark.parametrize("how", ["ballastctl", "signal"])
def test_a_restart_in_place_is_noticed_by_nobody(lab, how):
    start(lab)
    process = lab.processes["ballastd"]
    time.sleep(1.2)  # the announcements of the beginning are over
    with Capture(lab, "sw", "br0", f"arp or icmp6 or {ADVERTS}") as capture, lab.load() as load:
        time.sleep(0.3)
        if how == "ballastctl":
            assert "answers, pid" in lab.ctl("restart").stdout
        else:
            process.popen.send_signal(signal.SIGUSR2)
            wait_until(lambda: process.output().count("started: version") == 2, 10, "the restart")
        shown = wait_until(lambda: (lab.ctl("vrrp", "show", INSTANCE, check=False).returncode == 0
                                    and instance(lab)), 5, "ballastd to answer")
        wait_for_state(lab, "ACTIVE", 1)
        time.sleep(1.5)
    pids = {line.split("ballastd[")[1].split("]")[0] for line in process.output().splitlines() if "started:" in line}
    assert process.output().count("started: version") == 2 and len(pids) == 1, pids
    found = adverts(capture)
    judge_adverts(found, MAC4, MAC6, gap=False)
    announced = [int(each.vrrp_short_adver_int) / 100 for each in found]
    gap = largest_gap(found)
    figure(test="restart", how=how, largest_gap_ms=round(gap * 1000), announced_ms=round(max(announced) * 1000),
           requests=load.result["requests"], failed=load.result["failed"],
           announcements=[len(frames) for frames in announcements(capture)])
    assert gap < max(announced) and "0" not in {each.vrrp_prio for each in found}
    assert announced[-1] == 0.1  # as configured, soon after
    assert load.result["failed"] == 0, load.result
    assert all(len(frames) <= 5 for frames in announcements(capture))
    router = router_of(lab)
    assert (router["becameActive"], router["leftActive"]) == ("1", "0"), shown


def test_a_restart_on_a_broken_file_is_refused_and_everything_goes_on(lab):
    start(lab)
    process = lab.processes["ballastd"]
    path = lab.dir / "ballast.toml"
    path.write_text(path.read_text().replace('scheduler = "mh"', 'shceduler = "mh"'))
    with Capture(lab, "sw", "br0", ADVERTS) as capture:
        refused = lab.ctl("restart", check=False)
        assert refused.returncode != 0 and 'unknown key "shceduler": did you mean "scheduler"?' in refused.stderr
        process.popen.send_signal(signal.SIGUSR2)
        wait_until(lambda: "shceduler" in process.output(), 5, "the refusal in the log")
        time.sleep(0.3)
    assert instance(lab)["state"] == "ACTIVE" and process.output().count("started: version") == 1
    judge_adverts(adverts(capture), MAC4, MAC6)


def test_ballastd_that_was_killed_and_started_at_once_goes_on(lab):
    start(lab, advert_interval="300ms")
    time.sleep(1.2)
    process = lab.processes["ballastd"]
    with Capture(lab, "sw", "br0", f"arp or {ADVERTS}") as capture, lab.load() as load:
        time.sleep(0.5)
        process.stop(signal.SIGKILL)
        again = lab.start_ballastd()
        shown = wait_for_state(lab, "ACTIVE", 1)
        time.sleep(0.5)
    assert "started" in again.output() and shown["lastChange"]["from"] == "INITIALIZE", shown
    assert "BACKUP" not in again.output().split("started")[-1]
    found = adverts(capture)
    figure(test="kill_and_start", largest_gap_ms=round(largest_gap(found) * 1000), requests=load.result["requests"],
           failed=load.result["failed"], reason=repr(shown["lastChange"]["reason"]))
    judge_adverts(found, MAC4, MAC6, 300)
    assert load.result["failed"] == 0, load.result


def test_a_dataplane_that_stands_still_is_a_fault_and_what_it_said_is_told(lab):
    start(lab)
    dataplane = lab.processes["ballast-dataplane"]
    with Capture(lab, "sw", "br0", ADVERTS) as capture:
        time.sleep(0.3)
        os.kill(dataplane.pid, signal.SIGSTOP)
        try:
            shown = wait_for_state(lab, "FAULT", 3)
            assert any("has stood still for more than" in fault for fault in shown["faults"]), shown
            assert "has stood still" in lab.ctl("vrrp").stdout and shown["routers"][0]["lease"] == "none"
            time.sleep(1.5)
        finally:
            os.kill(dataplane.pid, signal.SIGCONT)
        shown = wait_for_state(lab, "ACTIVE", 5)
        time.sleep(0.5)
    assert shown["faults"] == []
    wait_until(lambda: lab.who_answers(check=False).startswith("rs"), 5, "the service")
    found = adverts(capture)
    # Nothing that waited in the dataplane leaves it when it goes on.
    stopped = [float(each.frame_time_epoch) for each in found]
    assert max(after - before for before, after in zip(stopped, stopped[1:])) > 1.5
    judge_adverts(found, MAC4, MAC6, gap=False)
    assert {each.vrrp_prio for each in found} == {"150"}


@pytest.mark.parametrize("first", ["restart", "failover", "signal"])
def test_ballastd_ends_in_bounded_time_whatever_is_under_way(lab, first):
    start(lab)
    process = lab.processes["ballastd"]
    if first == "signal":
        process.popen.send_signal(signal.SIGTERM)  # the second one means at once
    else:
        words = ["restart"] if first == "restart" else ["vrrp", "failover", INSTANCE]
        lab.spawn("client", "ctl", BIN / "ballastctl", "--socket", lab.socket, *words)
    wait_until(lambda: "api: " in process.output() or "stopping" in process.output(), 5, "the first")
    began = time.monotonic()
    assert process.stop(seconds=8) == 0
    figure(test="end_while_busy", first=first, ended_ms=round((time.monotonic() - began) * 1000))


def test_a_ballastd_that_another_one_has_replaced_ends_though_it_is_active(lab):
    """It ends without giving anything away before, in the middle of its adverts."""
    start(lab, advert_interval="10ms")
    first = lab.processes["ballastd"]
    other = (lab.dir / "ballast.toml").read_text().replace(str(lab.socket), str(lab.dir / "run" / "other.sock"))
    (lab.dir / "other.toml").write_text(other)
    first.ended_by_us = True
    lab.spawn("lb", "ballastd-other", BIN / "ballastd", "-c", lab.dir / "other.toml")
    wait_until(lambda: not first.running(), 5, "the first one to end")
    assert first.popen.wait() == 3
    assert lab.processes["ballastd-other"].stop() == 0


def test_a_node_takes_part_only_when_its_checks_have_run(lab):
    slow = lab.service_toml(check='{ type = "tcp", port = 9, interval = "2s", timeout = "2s", rise = 1, fall = 1 }')
    configure(lab, slow)
    for name in lab.server_names:  # neither an answer nor a refusal
        lab.exec(name, "nft", "add table inet slow; add chain inet slow in { type filter hook input priority 0; }; "
                              "add rule inet slow in tcp dport 9 drop")
    lab.start_dataplane()
    lab.start_ballastd()
    shown = instance(lab)
    assert shown["state"] == "FAULT" and any("have not run yet" in fault for fault in shown["faults"]), shown
    assert "health checks of 6 of 6 servers" in lab.ctl("vrrp").stdout
    began = time.monotonic()
    shown = wait_for_state(lab, "ACTIVE", 10)
    figure(test="readiness", seconds=round(time.monotonic() - began, 2))
    assert time.monotonic() - began > 1
    # Not a single server is up, and nobody tracks them: it holds the addresses all the same.
    assert all(row["health"] != "UP" for row in lab.ctl_json("checks")["checks"])


def test_a_start_delay_is_waited_for(lab):
    configure(lab, start_delay="1500ms")
    lab.start_dataplane()
    began = time.monotonic()
    lab.start_ballastd()
    shown = wait_for_state(lab, "FAULT", 1)
    assert any("start_delay" in fault for fault in shown["faults"]), shown
    wait_for_state(lab, "ACTIVE", 5)
    assert time.monotonic() - began > 1.5


def test_a_program_is_told_of_every_change_in_order(lab):
    told = lab.dir / "told"
    told.touch()
    told.chmod(0o666)
    program = lab.dir / "notify"
    program.write_text(f'#!/bin/sh\necho "$@ $BALLAST_FROM by $(id -un): $BALLAST_REASON" >> {told}\n')
    program.chmod(0o755)
    start(lab, notify=[str(program), "extra"], track=[{"file": str(lab.dir / "maintenance"), "up_if": "missing"}])
    (lab.dir / "maintenance").touch()
    wait_for_state(lab, "FAULT", 3)
    (lab.dir / "maintenance").unlink()
    wait_for_state(lab, "ACTIVE", 5)
    assert lab.processes["ballastd"].stop() == 0
    wait_until(lambda: " STOP " in told.read_text(), 3, "the end to be told: " + told.read_text())
    lines = [line.split(" by nobody: ") for line in told.read_text().splitlines()]
    assert all(len(line) == 2 and line[0].startswith(f"extra INSTANCE {INSTANCE} ") for line in lines), lines
    words = [line[0].split() for line in lines]
    assert {each[4] for each in words} == {"150"}
    states = [each[3] for each in words]
    ours = states[states.index("ACTIVE"):]
    assert ours[:4] == ["ACTIVE", "FAULT", "BACKUP", "ACTIVE"] and ours[-1] == "STOP", lines
    assert all(later[5] == {"STOP": "INITIALIZE"}.get(sooner[3], sooner[3]) for sooner, later in zip(words, words[1:]))
    assert "maintenance" in lines[states.index("ACTIVE") + 1][1]
