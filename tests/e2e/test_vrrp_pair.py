"""Two nodes with [[vrrp]]: who has the addresses when one of them goes, when they share them, when they disagree."""

import pathlib
import signal
import sys
import time

import pytest

from conftest import faults_of, show_logs
from lab import VIP4, VIP6, figure, wait_until
from vrrp_lab import INSTANCE, adverts, instance, vrrp_toml, wait_for_state
from wire import Capture

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from drill.network import CONTROL, Pair, Settings  # noqa: E402

OTHER, OTHER_ROUTER, OTHER_VIPS = "back", 52, ("10.9.0.101", "fd00:9::101")
ADVERTS = "proto 112 or ip6 proto 112"


@pytest.fixture(scope="module")
def network(request):
    port = request.config.option.port
    if port == "tap":
        pytest.skip("two ports of a tap each are two bridges more, and nothing that the other devices do not show")
    with Pair(port=port) as made:
        for name in made.server_names:
            made.add_vip_to_server(name, *OTHER_VIPS)
        made.start_servers()
        yield made


@pytest.fixture
def pair(network, request):
    """Nothing runs on the nodes; what a test starts ends with it."""
    yield network
    network.stop_nodes()
    for node in network.nodes:
        node.forget_everything()
    faults = list(faults_of(network))
    if faults or getattr(request.node, "failed_call", False):
        show_logs(network)
    assert not faults, faults
    network.all_processes = [process for process in network.all_processes if process.running()]


def configure(pair, node, *tables, services=()):
    node.configure(Settings(port=pair.port_kind))
    text = node.ballast_toml(list(services) or [pair.web(Settings())]).split("\n[[vrrp]]")[0]
    (node.dir / "ballast.toml").write_text(text + "".join(tables))


def start(pair, first=None, second=None):
    """lb1 active, lb2 backup; with these tables, or like ones but for the priority."""
    configure(pair, pair.lb1, *(first or [vrrp_toml(priority=150)]))
    configure(pair, pair.lb2, *(second or [vrrp_toml(priority=100)]))
    pair.lb1.start()
    wait_for_state(pair.lb1, "ACTIVE")
    pair.lb2.start()
    wait_for_state(pair.lb2, "BACKUP")
    for node in pair.nodes:
        node.wait_healthy()


def wan_adverts(pair):
    return Capture(pair, "sw", "br-wan", ADVERTS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_other_takes_over_when_ballastd_is_told_to_end_and_nothing_is_lost(pair, number):
    start(pair)
    with pair.load() as load, wan_adverts(pair) as capture:
        time.sleep(0.3)
        began = time.monotonic()
        assert pair.lb1.process(CONTROL).stop(number) == 0
        took = time.monotonic() - began
        shown = wait_for_state(pair.lb2, "ACTIVE", 2)
        time.sleep(0.5)
    log = pair.lb1.process(CONTROL).output()
    figure(test="end", signal=number.name, ended_ms=round(took * 1000), requests=load.result["requests"],
           failed=load.result["failed"], longest_gap_ms=load.result["longest_gap_ms"])
    assert load.result["failed"] == 0, load.result
    assert "moved to 10.9.0.22 before the end" in log or "moved to fe80" in log, log[-800:]
    assert [each["becameActive"] for each in shown["routers"]] == ["1", "1"]
    assert {each.vrrp_prio for each in adverts(capture)} == {"150", "0", "100"}


def test_a_failover_and_back_by_hand(pair):
    start(pair, [vrrp_toml(priority=150, preempt=True)], [vrrp_toml(priority=100, preempt=True)])
    refused = pair.lb2.ctl("vrrp", "failover", INSTANCE, check=False)
    assert refused.returncode != 0 and "is not active on this node: nothing has changed" in refused.stderr
    with pair.load() as load:
        time.sleep(0.3)
        words = pair.lb1.ctl("vrrp", "failover", INSTANCE).stdout
        assert f"{INSTANCE}: moved to " in words and "does not come back by preemption until" in words
        assert wait_for_state(pair.lb2, "ACTIVE", 1)["lastChange"]["reason"]
        time.sleep(0.6)
        shown = instance(pair.lb1)
        assert shown["state"] == "BACKUP" and shown["heldBack"], shown
        assert "moved away by hand" in pair.lb1.ctl("vrrp").stdout
        assert pair.lb1.ctl("vrrp", "release", INSTANCE).returncode == 0
        wait_for_state(pair.lb1, "ACTIVE", 2)
        wait_for_state(pair.lb2, "BACKUP", 2)
        time.sleep(0.3)
    figure(test="failover_and_back", requests=load.result["requests"], failed=load.result["failed"])
    assert load.result["failed"] == 0, load.result


def crossed(pair, node):
    """Each is the first for one of two instances, and takes it back."""
    mine = node is pair.lb1
    return [vrrp_toml(priority=150 if mine else 100, preempt=True),
            vrrp_toml(OTHER, OTHER_ROUTER, OTHER_VIPS, priority=100 if mine else 150, preempt=True)]


def states(pair):
    return {(node.name, each["name"]): each["state"] for node in pair.nodes if node.running(CONTROL)
            for each in node.ctl_json("vrrp", "list").get("instances", [])}


SHARED = {("lb1", INSTANCE): "ACTIVE", ("lb1", OTHER): "BACKUP", ("lb2", INSTANCE): "BACKUP", ("lb2", OTHER): "ACTIVE"}


def test_two_instances_with_crossed_priorities_share_the_load(pair):
    services = [pair.web(Settings()),
                pair.service_toml("more", [f"tcp/{OTHER_VIPS[0]}:80", f"tcp/[{OTHER_VIPS[1]}]:80"], scheduler="mh",
                                  check='{ type = "none" }')]
    for node in pair.nodes:
        configure(pair, node, *crossed(pair, node), services=services)
        node.start()
    wait_until(lambda: states(pair) == SHARED, 15, "each to have one")
    vips = (VIP4, VIP6, *OTHER_VIPS)
    for vip in vips:
        assert pair.who_answers(vip).startswith("rs")
    pair.lb1.kill(["ballastd", "ballast-dataplane"])
    wait_until(lambda: set(states(pair).values()) == {"ACTIVE"}, 2, "lb2 to have both")
    for vip in vips:
        wait_until(lambda: pair.connects(vip), 2, vip)  # noqa: B023
    pair.lb1.start()
    with pair.load(vips=vips) as load:
        wait_until(lambda: states(pair) == SHARED, 10, "each to have one again")
        time.sleep(1)
    figure(test="shared_again", requests=load.result["requests"], failed=load.result["failed"])
    assert load.result["failed"] == 0, load.result
    router = {each["name"]: each["routers"][0] for each in pair.lb2.ctl_json("vrrp", "list")["instances"]}
    assert (router[INSTANCE]["becameActive"], router[INSTANCE]["leftActive"]) == ("1", "1")
    assert (router[OTHER]["becameActive"], router[OTHER]["leftActive"]) == ("1", "0")


def test_a_group_moves_together(pair):
    def both(priority, **track):
        return [vrrp_toml(priority=priority, group="all", **track),
                vrrp_toml(OTHER, OTHER_ROUTER, OTHER_VIPS, priority=priority, group="all")]
    flag = pair.dir / "flag"
    flag.unlink(missing_ok=True)
    start(pair, both(150, track=[{"file": str(flag), "up_if": "missing"}]), both(100))
    flag.touch()
    for name in (INSTANCE, OTHER):
        assert "flag" in " ".join(wait_for_state(pair.lb1, "FAULT", 2, name)["faults"])
        wait_for_state(pair.lb2, "ACTIVE", 2, name)
    flag.unlink()
    for name in (INSTANCE, OTHER):
        wait_for_state(pair.lb1, "BACKUP", 2, name)
    assert f"{INSTANCE}, {OTHER}: moved to " in pair.lb2.ctl("vrrp", "failover", "all").stdout
    for name in (INSTANCE, OTHER):
        wait_for_state(pair.lb1, "ACTIVE", 2, name)


def test_a_backup_takes_over_from_a_priority_that_falls_below_its_own_and_not_before(pair):
    """No preemption protects a healthy active router only."""
    flag = pair.dir / "flag"
    flag.unlink(missing_ok=True)
    track = [{"file": str(flag), "up_if": "missing", "weight": -100}]
    start(pair, [vrrp_toml(priority=150, track=track)], [vrrp_toml(priority=100)])
    flag.touch()
    wait_for_state(pair.lb2, "ACTIVE", 2)
    wait_for_state(pair.lb1, "BACKUP", 2)
    flag.unlink()
    time.sleep(1)
    assert instance(pair.lb1)["priority"] == 150
    assert (instance(pair.lb1)["state"], instance(pair.lb2)["state"]) == ("BACKUP", "ACTIVE")


@pytest.mark.parametrize("rule,other,understood", [
    ("address_list_differs", {"vips": (VIP4, VIP6, "10.9.0.102")}, True),
    ("interval_differs", {"advert_interval": "500ms"}, True),
    # They refuse each other's adverts, so that both become active sooner or later.
    ("version", {"vips": (VIP4,), "version": 2}, False),
    ("unexpected_multicast", {"unicast_peers": ["10.9.0.21", "fe80::21"]}, False),
])
def test_nodes_that_are_configured_differently_say_so(pair, rule, other, understood):
    configure(pair, pair.lb1, vrrp_toml(priority=150))
    configure(pair, pair.lb2, vrrp_toml(priority=100, **other))
    for node in pair.nodes:
        node.start()
    wait_for_state(pair.lb1, "ACTIVE")
    shown = {}

    def told():
        for node in pair.nodes:
            for text in instance(node)["disagreements"]:
                shown[node.name, text] = node
        return any(rule in text for _, text in shown)

    wait_until(told, 10, f"{rule} to be told: {shown}")
    time.sleep(0.5)
    figure(test="disagreement", rule=rule, told=[f"{name}: {text}" for name, text in shown])
    for (_, text), node in shown.items():
        assert text.split(" (")[0] in node.ctl("status").stdout and text.split(" (")[0] in node.ctl("vrrp").stdout
    tellers = {name for name, text in shown if rule in text}
    logs = {name: pair.processes[f"ballastd-{name}"].output() for name in tellers}
    assert all(f"{rule}: " in log for log in logs.values())
    if understood:
        assert (instance(pair.lb1)["state"], instance(pair.lb2)["state"]) == ("ACTIVE", "BACKUP")


@pytest.mark.parametrize("virtual_mac", [True, False])
def test_after_a_partition_one_is_active_and_everybody_knows_where(pair, virtual_mac):
    start(pair, *([vrrp_toml(priority=priority, virtual_mac=virtual_mac)] for priority in (150, 100)))
    heard = 0
    for turn in range(4):
        pair.lose_between_nodes()
        wait_for_state(pair.lb2, "ACTIVE", 2)
        time.sleep(0.3 + turn / 40)  # whose advert comes first when they meet again
        began = time.monotonic()
        pair.heal_between_nodes()
        wait_for_state(pair.lb2, "BACKUP", 2)
        took = time.monotonic() - began
        assert instance(pair.lb1)["state"] == "ACTIVE"
        # Who had learnt that the loser has the addresses knows better at once, and not when its cache is old.
        wait_until(lambda: pair.connects(VIP4) and pair.connects(VIP6), 5, "the service")
        routers = [each for node in pair.nodes for each in instance(node)["routers"]]
        figure(test="healed", virtual_mac=virtual_mac, one_active_after_ms=round(took * 1000),
               service_after_ms=round((time.monotonic() - began) * 1000),
               episodes=[each["bothActiveEpisodes"] for each in routers],
               milliseconds=[each["bothActiveMilliseconds"] for each in routers])
        heard += sum(int(each["bothActiveEpisodes"]) for each in routers)
        assert time.monotonic() - began < 1
    # With a virtual MAC the loser says nothing when it yields: whether the winner hears it before is chance.
    assert heard or virtual_mac


def test_ballastd_of_the_active_node_restarts_and_the_other_stays_backup(pair):
    start(pair)
    with pair.load() as load, wan_adverts(pair) as capture:
        time.sleep(0.3)
        assert "restarts in place" in pair.lb1.ctl("restart").stdout
        time.sleep(0.5)
        pair.lb2.ctl("restart")
        time.sleep(1)
    assert load.result["failed"] == 0, load.result
    assert {each.vrrp_prio for each in adverts(capture)} == {"150"}
    assert instance(pair.lb1)["state"] == "ACTIVE" and instance(pair.lb2)["state"] == "BACKUP"
    assert [each["becameActive"] for each in instance(pair.lb2)["routers"]] == ["0", "0"]
    assert instance(pair.lb1)["disagreements"] == instance(pair.lb2)["disagreements"] == []
