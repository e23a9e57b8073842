"""Adverts that should not be: each is refused by the rule that it breaks, which is counted by name, and moves nothing.
Adverts of nodes that disagree: named in the log, in `vrrp show` and in `status`."""

import dataclasses
import random
import time

import pytest

from lab import VIP4, VIP6, figure, wait_until
from test_vrrp import start
from vrrp_lab import GROUP4, GROUP6, INSTANCE, LINK_LOCAL, advert, advert_frame, instance, router_of, wait_for_state
from wire import raw_socket

NODE4 = "10.9.0.10"
STRANGER4, STRANGER6 = "10.9.0.77", "fe80::77"
TIMES = 8


@dataclasses.dataclass
class Case:
    """An advert that breaks one rule. What would win, were it not for that, has priority 200."""
    rule: str
    name: str = ""
    group: str = GROUP4
    is_discarded: bool = True
    source: str = ""
    cut: int = 0
    ttl: int = 255
    unicast: bool = False
    what: dict = dataclasses.field(default_factory=dict)

    @property
    def family(self):
        return 6 if ":" in self.group else 4

    def frame(self, lab, source=""):
        source = source or self.source or (STRANGER6 if self.family == 6 else STRANGER4)
        destination = NODE4 if self.unicast else self.group
        what = self.what if self.is_discarded else {"priority": 50, **self.what}
        message = advert(source, destination, **what)
        message = message[:-self.cut] if self.cut else message
        return advert_frame(source, message, destination, ttl=self.ttl,
                            destination_mac=lab.port_mac() if self.unicast else None)


def six(case):
    return dataclasses.replace(case, group=GROUP6)


BOTH = [
    Case("short", "one byte is missing", cut=1),
    Case("short", "not even a header", cut=5),
    Case("short", "more addresses are announced than there are", what={"count": 3}),
    Case("ttl", "254", ttl=254),
    Case("ttl", "1", ttl=1),
    Case("version", "4", what={"version": 4}),
    Case("version", "0", what={"version": 0}),
    Case("type", "2", what={"kind": 2}),
    Case("length", "bytes at the end", what={"tail": bytes(4)}),
    Case("checksum", what={"wrong_checksum": True}),
    Case("count_zero", what={"addresses": []}),
    Case("interval_zero", what={"centiseconds": 0}),
    Case("interval_differs", is_discarded=False, what={"centiseconds": 100}),
]
DIFFERENT = {4: [VIP4, "10.9.0.111"], 6: [LINK_LOCAL, VIP6, "fd00:9::111"]}
CASES = BOTH + [six(case) for case in BOTH] + [
    Case("version", "2", what={"version": 2, "centiseconds": 1}),
    Case("unexpected_unicast", unicast=True),
    Case("first_not_link_local", group=GROUP6, what={"addresses": [VIP6]}),
    Case("checksum", "without the pseudo-header", group=GROUP6, what={"message_only": True}),
    Case("checksum_other_form", is_discarded=False, what={"message_only": True}),
    Case("address_list_differs", is_discarded=False, what={"addresses": DIFFERENT[4]}),
    Case("address_list_differs", group=GROUP6, is_discarded=False, what={"addresses": DIFFERENT[6]}),
]


def counts(lab, family=4):
    return {fault["rule"]: int(fault["count"]) for fault in router_of(lab, family)["faults"]}


def send(lab, frames, pause=0.005):
    with raw_socket(lab.ns("client"), "eth0") as wire:
        for frame in frames:
            wire.send(frame)
            time.sleep(pause)


def judge(lab, case, times=TIMES):
    """Sent some times: its rule counts them, no other does, and the node is active as before."""
    before = counts(lab, case.family)
    frame = case.frame(lab)
    send(lab, [frame] * times)
    # One rule lets a few pass before it says a word: a router that restarts announces another interval.
    least = 1 if case.rule == "interval_differs" else times
    try:
        wait_until(lambda: counts(lab, case.family).get(case.rule, 0) - before.get(case.rule, 0) >= least, 3, case)
    except TimeoutError as problem:
        raise TimeoutError(f"{problem}: {counts(lab, case.family)}, strangers "
                           f"{lab.ctl_json('vrrp', 'list')['strangers']}") from None
    after = counts(lab, case.family)
    changed = {rule for rule, count in after.items() if count != before.get(rule, 0)}
    assert changed == {case.rule} and after[case.rule] - before.get(case.rule, 0) <= times, (case, before, after)
    router = router_of(lab, case.family)
    fault = next(each for each in router["faults"] if each["rule"] == case.rule)
    assert fault["discarded"] == case.is_discarded and fault["meaning"], fault
    assert fault["lastSource"] == (case.source or (STRANGER6 if case.family == 6 else STRANGER4)), fault
    assert (router["state"], router["becameActive"], router["leftActive"]) == ("ACTIVE", "1", "0"), case


def test_every_rule_is_counted_by_name_and_none_that_breaks_it_moves_anything(lab):
    start(lab)
    with lab.load() as load:
        for case in CASES:
            judge(lab, case)
        own6 = router_of(lab, 6)["ownAddress"]
        judge(lab, Case("own_source", group=GROUP6, source=own6))
    assert load.result["failed"] == 0, load.result
    assert set(counts(lab)) | set(counts(lab, 6)) == {case.rule for case in CASES} | {"own_source"}
    words = lab.ctl("vrrp", "show", INSTANCE).stdout
    assert all(case.rule in words for case in CASES), words
    # The same that breaks no rule wins: they were refused for what is wrong with them, and not for anything else.
    send(lab, [Case("").frame(lab)])
    assert STRANGER4 in wait_for_state(lab, "BACKUP", 1)["lastChange"]["reason"]
    wait_for_state(lab, "ACTIVE", 3)


def test_adverts_of_another_id_are_for_nobody_here(lab):
    start(lab)
    send(lab, [advert_frame(STRANGER4, advert(STRANGER4, router=77))] * 5)
    listed = wait_until(lambda: (found := lab.ctl_json("vrrp", "list"))["strangers"] and found, 3, "strangers")
    assert [(each["rule"], each["count"], each["lastSource"]) for each in listed["strangers"]] == [
        ("vrid_unknown", "5", STRANGER4)] and listed["lastStrangeId"] == 77
    assert "(id 77)" in lab.ctl("vrrp").stdout and counts(lab) == {}


V2 = {"version": 2, "centiseconds": 1}


def test_the_rules_of_version_2(lab):
    start(lab, vips=(VIP4,), version=2, advert_interval="1s")
    for case in (Case("authentication", what={**V2, "authentication": 1}),
                 Case("interval_mismatch", what={**V2, "centiseconds": 2}),
                 Case("version", what={"version": 3}),
                 Case("checksum", what={**V2, "wrong_checksum": True}),
                 Case("interval_zero", what={**V2, "centiseconds": 0}),
                 Case("address_list_differs", is_discarded=False, what={**V2, "addresses": DIFFERENT[4]})):
        judge(lab, case)


def test_the_rules_of_unicast(lab):
    start(lab, vips=(VIP4,), unicast_peers=[STRANGER4], minimum_ttl=200)
    for case in (Case("unexpected_multicast"), Case("unknown_peer", unicast=True, source="10.9.0.78"),
                 Case("ttl", unicast=True, ttl=199)):
        judge(lab, case)
    send(lab, [Case("", unicast=True, ttl=200).frame(lab)])
    wait_for_state(lab, "BACKUP", 1)


def test_strict_addresses_and_two_owners(lab):
    start(lab, vips=(VIP4,), strict_addresses=True, priority=255, preempt=True)
    judge(lab, Case("address_list_mismatch", what={"addresses": DIFFERENT[4]}))
    # The lower address gives way; the stranger's is higher, so it is this node that does.
    send(lab, [Case("", what={"priority": 255}).frame(lab)])
    wait_until(lambda: counts(lab).get("two_owners"), 3, "two owners")
    assert any("two_owners" in text for text in instance(lab)["disagreements"])


def test_noise_moves_nothing_and_is_counted_to_the_last_advert(lab):
    start(lab)
    noise, frames = random.Random(568), []
    for number in range(400):
        group = (GROUP4, GROUP6)[number % 2]
        source = STRANGER6 if ":" in group else STRANGER4
        whole = bytearray(advert(source, group))
        for _ in range(noise.randrange(1, 4)):
            at = noise.choice([place for place in range(len(whole)) if place != 1])  # but not its id
            whole[at] ^= noise.randrange(1, 256)
        message = bytes(whole[:noise.randrange(2, len(whole) + 1)])
        if len(message) == len(whole):
            message += b"\1"  # no chance for two changes to make up for each other in the checksum
        frames.append(advert_frame(source, message, group))
    send(lab, frames, 0.001)

    def counted():
        return sum(sum(counts(lab, family).values()) for family in (4, 6))

    try:
        wait_until(lambda: counted() == len(frames), 3, "all of them")
    finally:
        figure(test="noise", sent=len(frames), counted=counted(), rules=sorted({*counts(lab), *counts(lab, 6)}))
    assert [(each["becameActive"], each["leftActive"]) for each in instance(lab)["routers"]] == 2 * [("1", "0")]


def test_the_table_of_peers_and_the_log_have_bounds(lab):
    start(lab)
    lines = lab.processes["ballastd"].output().count("\n")
    sources = [f"10.9.{third}.{fourth}" for third in range(2, 6) for fourth in range(1, 251)]
    send(lab, [Case("", what={"priority": 50}, is_discarded=False).frame(lab, source) for source in sources] +
         [Case("checksum", what={"wrong_checksum": True}).frame(lab, source) for source in sources], 0.0005)
    wait_until(lambda: counts(lab).get("checksum"), 3, "the counter")
    time.sleep(0.5)
    router = router_of(lab)
    more = lab.processes["ballastd"].output().count("\n") - lines
    figure(test="many_peers", sources=len(sources), peers=len(router["peers"]), log_lines=more,
           adverts=router["advertsReceived"])
    assert len(router["peers"]) <= 65 and more < 200
    assert (router["state"], router["leftActive"]) == ("ACTIVE", "0")
    assert int(router["advertsReceived"]) > 100 and counts(lab)["checksum"] > 100


DISAGREEMENTS = [
    ("address_list_differs", {"addresses": DIFFERENT[4]}, "10.9.0.111"),
    ("address_list_differs", {"addresses": ["10.9.0.112"]}, "somebody else"),
    ("interval_differs", {"centiseconds": 50}, "500 ms"),
    ("version", {"version": 2, "centiseconds": 1}, "another VRRP version"),
]


@pytest.mark.parametrize("rule,what,words", DISAGREEMENTS)
def test_a_disagreement_is_named_in_log_show_and_status(lab, rule, what, words):
    start(lab)
    send(lab, [Case(rule, is_discarded=False, what=what).frame(lab)] * TIMES)
    # That the stranger is active as well, which is told too, is what it takes to disagree with an active node.
    def disagreements(texts):
        return [text for text in texts if "two routers" not in text]

    texts = wait_until(lambda: disagreements(instance(lab)["disagreements"]), 3, "the disagreement")
    assert len(texts) == 1 and STRANGER4 in texts[0] and rule in texts[0] and words in texts[0], texts
    log = lab.processes["ballastd"].output()
    line = next(line for line in log.splitlines() if f": {rule}: " in line)
    assert STRANGER4 in line and words in line and "warning" in line, line
    for shown in (lab.ctl("vrrp").stdout, lab.ctl("vrrp", "show", INSTANCE).stdout, lab.ctl("status").stdout):
        assert words in shown and STRANGER4 in shown, shown
    assert disagreements(lab.ctl_json("status")["vrrp"][0]["disagreements"]) == texts
    assert instance(lab)["state"] == "ACTIVE"


def test_the_priority_of_a_hostile_advert_of_another_list_does_not_make_two_actives(lab):
    """keepalived drops an advert with another list; then both are active for as long as an operator edits."""
    start(lab)
    send(lab, [Case("", what={"addresses": DIFFERENT[4]}).frame(lab)])
    shown = wait_for_state(lab, "BACKUP", 1)
    assert [each["state"] for each in shown["routers"]] == ["BACKUP", "BACKUP"]
    # And 40.95 s in an advert do not silence it for two minutes.
    send(lab, [Case("", what={"centiseconds": 4095}).frame(lab), Case("", group=GROUP6,
                                                                    what={"centiseconds": 4095}).frame(lab)])
    wait_for_state(lab, "ACTIVE", 8)
