"""UDP services, and what clients hear who ask for what is not there."""

import collections
import contextlib
import socket
import time

import pytest

from conftest import new_lab
from lab import VIP4, VIP6, figure, wait_until

VIPS = pytest.mark.parametrize("vip", [VIP4, VIP6])
CHECK = '{ type = "none" }'


def start(lab, daemon="", dataplane=""):
    lab.write_dataplane_toml(dataplane)
    lab.write_ballast_toml(lab.service_toml("dns", ("udp/{v4}:53", "udp/{v6}:53"), check=CHECK), daemon=daemon)
    for name in lab.server_names:
        lab.start_udp_echo(name)
    lab.start_dataplane()
    lab.start_ballastd()


def ask(client, vip, text):
    """Who answered."""
    client.connect((vip, 53))
    client.send(text)
    name, _, rest = client.recv(65535).partition(b" ")
    assert rest == text
    return name.decode()


@pytest.fixture(scope="module")
def dns_lab(request):
    for made in new_lab(request):
        start(made)
        yield made


@VIPS
def test_datagrams_of_one_client_stay_with_one_server_and_clients_are_shared(dns_lab, vip):
    lab = dns_lab
    by_server, clients, each = collections.Counter(), 30, 5
    for _ in range(clients):
        with lab.client_socket(vip, socket.SOCK_DGRAM) as client:
            servers = {ask(client, vip, b"question %d" % number) for number in range(each)}
            assert len(servers) == 1
            by_server[servers.pop()] += 1
    figure(test="udp", vip=vip, datagrams=clients * each, failed=0, **by_server)
    for name in lab.server_names:
        assert abs(by_server[name] - clients / 3) <= lab.workers
    rows = lab.ctl_json("connection", "list", "--all", "--vip", vip)["connections"]
    assert len(rows) == clients and {row["protocol"] for row in rows} == {"UDP"}
    assert all(row["trusted"] for row in rows)


@VIPS
@pytest.mark.parametrize("size", [0, 1, 17, 1400])
def test_datagrams_of_every_size_pass(dns_lab, vip, size):
    with dns_lab.client_socket(vip, socket.SOCK_DGRAM) as client:
        assert ask(client, vip, bytes(size)) in dns_lab.server_names


def refused(client, vip, port):
    """Whether an ICMP port unreachable, or a TCP reset, comes back; silence is False."""
    try:
        client.settimeout(1.5)
        client.connect((vip, port))
        if client.type == socket.SOCK_DGRAM:
            client.send(b"anybody?")
            client.recv(100)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    raise AssertionError("somebody answered")


@VIPS
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_where_no_service_listens_the_client_is_told(dns_lab, vip, kind):
    before = dns_lab.drops().get("no_service", 0)
    with dns_lab.client_socket(vip, kind) as client:
        assert refused(client, vip, 5353)
    assert dns_lab.drops()["no_service"] > before


def test_where_no_service_listens_there_is_silence_if_so_configured(lab):
    start(lab, daemon='on_no_service = "drop"')
    for vip in (VIP4, VIP6):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with lab.client_socket(vip, kind) as client:
                assert not refused(client, vip, 5353)
    assert lab.drops()["no_service"] >= 4


@VIPS
def test_refusals_are_limited_in_rate(lab, vip):
    rate, burst, asked = 5, 100, 2000
    start(lab, dataplane=f"answers_per_second = {rate}")

    def answers():
        return sum(int(worker["answers"]) for worker in lab.ctl_json("status")["dataplane"]["workers"])

    with lab.client_socket(vip, socket.SOCK_DGRAM) as client:
        assert refused(client, vip, 5353)  # the client knows the VIP's MAC now
        before, began = answers(), time.monotonic()
        for _ in range(asked):
            with contextlib.suppress(ConnectionRefusedError):  # of one before; then this one was not sent
                client.send(b"anybody?")
        wait_until(lambda: lab.drops()["no_service"] >= asked / 2, 10, "the questions to arrive")
    told, seconds = answers() - before, time.monotonic() - began
    figure(test="refusals", vip=vip, asked=asked, told=told, per_second=rate, seconds=round(seconds, 2))
    neighbours = 5  # ARP and ND are answers, too
    assert 0 < told <= lab.workers * (burst + rate * (seconds + 1)) + neighbours
