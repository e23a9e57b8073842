"""kill -9 of the dataplane under load: the service comes back by itself, with all that the kernel had on its twin."""

import json
import signal
import socket
import time

from lab import VIP4, VIP6, figure, wait_until

# What an operator, or a routing daemon, has put there beside what is configured.
BY_HAND = [("addr", "add", "10.9.0.20/24", "dev", "wan"), ("addr", "add", "fd00:9::20/64", "dev", "wan", "nodad"),
           ("route", "add", "198.51.100.0/24", "via", "10.9.0.11", "dev", "wan"),
           ("-6", "route", "add", "2001:db8:77::/48", "via", "fd00:9::11", "dev", "wan")]
CONFIGURED = \
    'routes = [{ to = "203.0.113.0/24", via = "10.9.0.12" }, { to = "2001:db8:88::/48", via = "fd00:9::12" }]\n'


def addresses(lab):
    rows = json.loads(lab.ip("lb", "-j", "addr", "show", "dev", "wan", check=False).stdout or "[]")
    return {(entry["local"], entry["prefixlen"]) for row in rows for entry in row.get("addr_info", [])
            if entry["scope"] == "global"}


def routes(lab):
    rows = []
    for family in ("-4", "-6"):
        rows += json.loads(lab.ip("lb", family, "-j", "route", "show", "dev", "wan", check=False).stdout or "[]")
    return {(row["dst"], row.get("gateway")) for row in rows if row["dst"] != "fe80::/64"}


def prepare(lab):
    path = lab.write_ballast_toml()
    mark = 'addresses = ["10.9.0.10/24", "fd00:9::10/64"]\n'
    path.write_text(path.read_text().replace(mark, mark + CONFIGURED))
    lab.start()
    for words in BY_HAND:
        lab.ip("lb", *words)
    assert {("198.51.100.0/24", "10.9.0.11"), ("203.0.113.0/24", "10.9.0.12"), ("2001:db8:77::/48", "fd00:9::11"),
            ("2001:db8:88::/48", "fd00:9::12")} <= routes(lab)
    return addresses(lab), routes(lab)


def serves(lab):
    return all(lab.who_answers(vip, check=False, timeout=2) in lab.server_names for vip in (VIP4, VIP6))


def connects(lab, vip):
    """Whether a server answers right now: curl would wait a second before it sends its SYN again."""
    with lab.client_socket(vip, socket.SOCK_STREAM) as client:
        client.settimeout(0.1)
        return client.connect_ex((vip, 80)) == 0


def everything_is_back(lab, before, what):
    try:
        wait_until(lambda: (addresses(lab), routes(lab)) == before, 20, what)
    except TimeoutError:
        assert (addresses(lab), routes(lab)) == before  # says which


def restart_under_load(lab, number):
    """Ends the dataplane, starts it again, waits for service; the load's result and when it ended."""
    with lab.load() as load:
        ended = time.time()
        lab.processes["ballast-dataplane"].stop(number)
        lab.start_dataplane()
        started = time.time()
        wait_until(lambda: all(connects(lab, vip) for vip in (VIP4, VIP6)), 30, "the VIP to serve again")
        again = time.time()
        time.sleep(1)  # of load: none may fail any more
    result = load.result
    figure(test=f"dataplane_{number.name}", requests=result["requests"], failed=result["failed"],
           longest_gap_ms=result["longest_gap_ms"], program_ready_ms=round((started - ended) * 1000),
           service_again_ms=round((again - ended) * 1000))
    late = [failure for failure in result["failures"] if failure["started"] > again]
    assert result["failed"] < 1000 and not late, late[:5]
    assert set(result["answers"]) == set(lab.server_names)


def test_after_kill_9_the_vip_serves_again_and_the_twin_has_all_it_had(lab):
    before = prepare(lab)
    for _ in range(2):  # the second finds what the first left
        restart_under_load(lab, signal.SIGKILL)
        everything_is_back(lab, before, "addresses and routes after kill -9")
    lab.exec("client", "ping", "-n", "-c", 2, "-i", "0.1", "-W", 5, "10.9.0.20")
    lab.exec("client", "ping", "-n", "-c", 2, "-i", "0.1", "-W", 5, "fd00:9::20")
    lab.wait_healthy()


def test_after_a_clean_stop_the_vip_serves_again_and_the_twin_has_all_it_had(lab):
    before = prepare(lab)
    restart_under_load(lab, signal.SIGTERM)
    everything_is_back(lab, before, "addresses and routes after SIGTERM")
    lab.wait_healthy()


def test_both_daemons_killed_and_started_again_serve(lab):
    lab.start()
    for name in ("ballastd", "ballast-dataplane"):
        lab.processes[name].stop(signal.SIGKILL)
    lab.start_dataplane()
    lab.start_ballastd()
    wait_until(lambda: serves(lab), 30, "the VIP to serve again")
    lab.wait_healthy()
