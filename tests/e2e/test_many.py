"""Thousands of short connections: all succeed, all are listed, all are counted, and all go away again."""

import pytest

from lab import VIP4, VIP6, figure, wait_until
from web import storm

VIPS = pytest.mark.parametrize("vip", [VIP4, VIP6])
SECONDS = 3


def listed(lab, *filters):
    return lab.ctl_json("connection", "list", *filters)["connections"]


def identity(row):
    return row["protocol"], row["client"], row["clientPort"], row["vip"], row["vipPort"]


@VIPS
def test_short_connections_all_succeed_and_are_all_there_to_see(lab, vip):
    lab.start()
    requests, failed = storm(lab, vip, SECONDS)
    figure(test="wrk", vip=vip, requests=requests, failed=failed, seconds=SECONDS)
    assert requests > 1000 and failed == 0

    rows = listed(lab, "--all")
    assert len({identity(row) for row in rows}) == len(rows)  # each once, over all pages
    assert len(rows) > 1000  # more than a page
    opened = sum(int(row["counters"]["connections"]) for row in lab.server_rows().values())
    # A client's port that came again is a new connection in the place of the old one. wrk gives up the last ones.
    assert opened >= requests and opened >= len(rows)
    figure(test="connections", vip=vip, opened=opened, listed=len(rows))

    for address, row in lab.server_rows().items():
        counted = int(row["activeConnections"]) + int(row["inactiveConnections"])
        assert counted == len(listed(lab, "--all", "--server", address)), address
    status = lab.ctl_json("status")["dataplane"]
    assert int(status["trustedConnections"]) + int(status["untrustedConnections"]) == len(rows)
    assert len(lab.server_rows()) == 6


def test_the_list_of_connections_can_be_cut_and_filtered(shared_lab):
    for vip in (VIP4, VIP6):
        storm(shared_lab, vip, 1)
    everything = listed(shared_lab, "--all")
    for limit in (1, 7, 1000, 1001):
        answer = shared_lab.ctl_json("connection", "list", "--limit", limit)
        assert len(answer["connections"]) == limit and not answer["complete"]

    def expected(condition):
        return {identity(row) for row in everything if condition(row)}

    def found(*filters):
        return {identity(row) for row in listed(shared_lab, "--all", *filters)}

    assert found("--vip", VIP4) == expected(lambda row: row["vip"] == VIP4)
    assert found("--vip", f"[{VIP6}]:80") == expected(lambda row: row["vip"] == VIP6)
    assert found("--vip", f"{VIP4}:81") == set()
    assert found("--client", "10.9.0.0/24") == expected(lambda row: row["client"] == "10.9.0.1")
    assert found("--client", "10.9.0.2") == set()
    assert found("--client", "fd00:9::1") == expected(lambda row: row["client"] == "fd00:9::1")
    assert found("--server", "10.9.0.12") == expected(lambda row: row["server"] == "10.9.0.12")
    assert found("--server", "fd00:9::13", "--vip", VIP6) == expected(lambda row: row["server"] == "fd00:9::13")
    assert {len(found("--server", "10.9.0.12")), len(found("--client", "fd00:9::1"))}.isdisjoint({0})


def test_closed_connections_expire(lab):
    short = 'timeouts = { fin_wait = "2s", time_wait = "2s", close = "2s", established = "4s", syn_recv = "4s" }'
    lab.write_ballast_toml(lab.service_toml(extra=short))
    lab.start()
    requests, failed = storm(lab, VIP4, 1)
    assert requests > 100 and failed == 0
    wait_until(lambda: not listed(lab, "--all"), 60, "all connections to expire")
    rows = lab.server_rows().values()
    assert all(int(row["activeConnections"]) == int(row["inactiveConnections"]) == 0 for row in rows)
    expired = sum(int(worker["expired"]) for worker in lab.ctl_json("status")["dataplane"]["workers"])
    opened = sum(int(row["counters"]["connections"]) for row in rows)
    figure(test="expiry", opened=opened, expired=expired)
    assert 0 < expired <= opened
