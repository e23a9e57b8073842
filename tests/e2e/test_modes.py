"""Every mode at once on one load balancer: web pages, big transfers, UDP and fragments through each; who sees whom."""

import collections
import json
import socket
import time

import pytest

from conftest import new_lab
from lab import VIP4, VIP6, figure, in_url, wait_until
from modes_lab import (CLIENTS, GATEWAYS, LOCALS, MODES, TUNNELS, TWO_WAY, ModesLab, matrix, shared_port, six, vip)
from web import BIG, answers, big_file, digest, storm
from wire import Capture, ethernet, fragments, raw_socket, udp

REQUESTS = 24
TUNNEL_ROOM = 1400                  # what a client keeps to whose datagrams go through a tunnel as fragments
OURS = pytest.mark.parametrize("address", [*GATEWAYS, *LOCALS])


@pytest.fixture(scope="module")
def modes(request):
    for made in new_lab(request, ModesLab):
        made.start()
        big_file(made)
        yield made
        if made.workers > 1:
            figure(test="hand_overs", port=made.port_kind, workers=made.workers, **made.hand_overs())


def servers_of(mode):
    """How many servers the pool of one VIP has: tunnels reach each by both families."""
    return 6 if mode in TUNNELS else 3


# ---- TCP

@matrix("everyday")
@pytest.mark.parametrize("client", CLIENTS)
def test_small_pages_come_from_all_servers(modes, mode, family, client):
    got = answers(modes, vip(mode, family), REQUESTS, client=client)
    shared = answers(modes, (VIP4, VIP6)[family == 6], REQUESTS, shared_port(mode), client)
    figure(test="pages", mode=mode, family=family, client=client, requests=2 * REQUESTS,
           failed=2 * REQUESTS - sum(got.values()) - sum(shared.values()), **got)
    for found in (got, shared):
        assert sum(found.values()) == REQUESTS
        for server in modes.server_names:  # each worker goes round by itself
            assert abs(found[server] - REQUESTS / 3) <= 2 * modes.workers


@matrix("everyday")
def test_the_server_sees_the_client_or_in_fullnat_a_local_address(modes, mode, family):
    seen = {line.split()[0] for line in answers(modes, vip(mode, family), 32, path="/who")}
    if mode == "fullnat":
        assert seen == {each for each in LOCALS if six(each) == (family == 6)}
    else:
        assert seen == {CLIENTS["client"][family == 6]}


@matrix("nat-4", "fullnat-6", "ipip-4", "gue-6")
def test_a_download_of_100_mb_arrives_whole(modes, mode, family):
    target = modes.dir / "downloaded"
    began = time.monotonic()
    modes.curl(f"http://{in_url(vip(mode, family))}/big", "-o", target, timeout=120)
    took = time.monotonic() - began
    assert target.stat().st_size == BIG
    assert digest(target) == digest(big_file(modes))
    target.unlink()
    figure(test="download", mode=mode, family=family, bytes=BIG, ms=round(took * 1000))


@matrix("nat-6", "fullnat-4", "ipip-6", "gre-4")
def test_an_upload_of_100_mb_arrives_whole(modes, mode, family):
    name = f"{mode}-{family}"
    began = time.monotonic()
    modes.curl(f"http://{in_url(vip(mode, family))}/upload/{name}", "-f", "-T", big_file(modes), timeout=120)
    took = time.monotonic() - began
    stored = list(modes.dir.glob(f"nginx-rs*/html/upload/{name}"))
    assert len(stored) == 1
    assert digest(stored[0]) == digest(big_file(modes))
    stored[0].unlink()
    figure(test="upload", mode=mode, family=family, bytes=BIG, ms=round(took * 1000))


@matrix("nat-4", "fullnat-4")
def test_thousands_of_short_connections_succeed_and_are_counted(modes, mode, family):
    before = modes.connections_of(mode)
    requests, failed = storm(modes, vip(mode, family))
    active, inactive, opened = modes.connections_of(mode)
    figure(test="wrk", mode=mode, family=family, seconds=3, requests=requests, failed=failed, active=active,
           inactive=inactive, opened=opened - before[2])
    assert requests > 1000 and failed == 0
    assert opened - before[2] >= requests
    assert 0 < active + inactive <= opened


@pytest.mark.everyday
@pytest.mark.parametrize("mode", TWO_WAY)
def test_connections_that_are_open_are_active_and_then_not(modes, mode):
    before = modes.connections_of(mode)
    clients = [modes.client_socket(vip(mode, 4 + 2 * (number % 2)), socket.SOCK_STREAM) for number in range(12)]
    for number, client in enumerate(clients):
        client.connect((vip(mode, 4 + 2 * (number % 2)), 80))
        client.sendall(b"GET /name HTTP/1.1\r\nHost: ballast\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert modes.connections_of(mode)[0] - before[0] == len(clients)
    rows = modes.ctl_json("connection", "list", "--all", "--vip", vip(mode, 4))["connections"]
    assert sum(1 for row in rows if row["state"] == "ESTABLISHED") == len(clients) / 2, rows[:3]
    for client in clients:
        client.close()
    # Both directions pass, so the end is seen: nothing is active any more.
    wait_until(lambda: modes.connections_of(mode)[0] == before[0], 5, "the connections to be inactive")


# ---- UDP

def ask(client, to, text):
    """Who answered."""
    client.sendto(text, (to, 53))
    data, sender = client.recvfrom(65535)
    assert sender[0] == to
    name, _, rest = data.partition(b" ")
    assert rest == text, (len(rest), len(text))
    return name.decode()


@matrix("everyday")
def test_datagrams_of_every_size_are_answered(modes, mode, family):
    by_server = collections.Counter()
    to = vip(mode, family)
    for _ in range(18):
        with modes.client_socket(to, socket.SOCK_DGRAM) as client:
            servers = {ask(client, to, bytes(size)) for size in (0, 1, 17, 1372)}
            assert len(servers) == 1
            by_server[servers.pop()] += 1
    figure(test="udp", mode=mode, family=family, datagrams=72, failed=0, **by_server)
    assert set(by_server) == set(modes.server_names)


@pytest.mark.everyday
@pytest.mark.parametrize("mode", MODES)
def test_a_datagram_without_a_checksum_arrives_without_one(modes, mode):
    to = vip(mode, 4)
    with modes.client_socket(to, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
        with Capture(modes, "sw", modes.lan, "udp or proto 4 or proto 47 or proto 41") as capture:
            assert ask(client, to, b"no checksum") in modes.server_names
        source = client.getsockname()[1]
    sums = [line for line in capture.as_text(f"udp.srcport == {source} || udp.dstport in {{53, 5353}}",
                                             "udp.checksum").splitlines()[1:]]
    assert sums and all(line.split(",")[-1] == "0x0000" for line in sums if line), sums


def can_pass_fragments(lab, family):
    """The socket behind an af_packet port puts IPv4 datagrams together, and cuts off what is more than a frame."""
    return lab.port_kind != "af_packet" or family == 6


@matrix("everyday")
def test_datagrams_of_8000_bytes_pass_in_fragments_both_ways(modes, mode, family):
    if not can_pass_fragments(modes, family):
        pytest.skip("af_packet puts IPv4 datagrams together")
    to, count = vip(mode, family), 10
    if mode in TUNNELS:
        modes.ip("client", "route", "add", to, "dev", "eth0", "mtu", TUNNEL_ROOM)
    before = modes.drops()
    for number in range(count):
        with modes.client_socket(to, socket.SOCK_DGRAM) as client:
            assert ask(client, to, bytes([number]) * 8000) in modes.server_names
    figure(test="fragments", mode=mode, family=family, datagrams=count, bytes=8000, failed=0)
    after = modes.drops()
    for reason in ("fragment_overlap", "fragment_room", "fragment_timeout", "fragment_later"):
        assert after.get(reason, 0) == before.get(reason, 0), reason


@matrix("everyday")
def test_fragments_that_arrive_in_the_wrong_order_pass_all_the_same(modes, mode, family):
    if not can_pass_fragments(modes, family):
        pytest.skip("af_packet puts IPv4 datagrams together")
    to, own = vip(mode, family), CLIENTS["client"][family == 6]
    macs = modes.port_mac(), modes.mac("client", "eth0")
    with modes.client_socket(to, socket.SOCK_DGRAM) as client, raw_socket(modes.ns("client"), "eth0") as wire:
        client.bind((own, 0))
        for number, order in enumerate(([3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1])):
            text = bytes([65 + number]) * 4000
            pieces = fragments(own, to, udp(own, to, client.getsockname()[1], 53, text), 0x3000 + number, 1200)
            for at in order:
                wire.send(ethernet(*macs, *pieces[at]))
            assert client.recv(65535).endswith(b" " + text)


# ---- addresses of the load balancer in the servers' network

def neighbor(lab, name, address):
    return [row.get("lladdr") for row in json.loads(
        lab.ip(name, "-j", "neigh", "show", "to", address).stdout or "[]")]


@pytest.mark.everyday
@OURS
def test_gateways_and_local_addresses_answer_arp_and_ping(modes, address):
    modes.ip("rs1", "neigh", "flush", "to", address)
    out = modes.exec("rs1", "ping", "-n", "-c", 5, "-i", "0.05", "-W", "5", address, check=False).stdout
    assert " 5 received" in out and "DUP!" not in out
    assert neighbor(modes, "rs1", address) == [modes.port_mac_of(modes.lan_port)]


@pytest.mark.everyday
@pytest.mark.parametrize("address", GATEWAYS)
def test_nothing_listens_on_a_gateway(modes, address):
    with modes.socket_of("rs1", address, socket.SOCK_STREAM) as client:
        client.settimeout(0.5)
        with pytest.raises((ConnectionRefusedError, TimeoutError)):
            client.connect((address, 80))


# ---- on the wire

CHECK_SUMS = ("-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
OUTER = {"ipip": "!gre && !gue", "gre": "gre", "gue": "gue"}


@pytest.mark.everyday
@pytest.mark.parametrize("mode", TUNNELS)
def test_the_outer_header_of_a_tunnel(modes, mode):
    """DSCP and DF are the inner ones, the TTL is the tunnel's; the inner packet is as it came."""
    fields = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.ttl", "ipv6.hlim", "ip.dsfield.dscp",
              "ipv6.tclass.dscp", "ip.flags.df", "ip.checksum.status", "udp.checksum.status", "tcp.checksum.status")
    with Capture(modes, "sw", modes.lan, "ip or ip6") as capture:
        for family in (4, 6):
            for _ in range(2 * servers_of(mode)):
                with modes.client_socket(vip(mode, family), socket.SOCK_STREAM) as client:
                    if family == 4:
                        client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)
                    else:
                        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 46 << 2)
                    client.connect((vip(mode, family), 80))
    pairs = collections.Counter()
    inner = {4: vip(mode, 4), 6: vip(mode, 6)}
    what = f"(ip.dst == {inner[4]} || ipv6.dst == {inner[6]}) && {OUTER[mode]}"
    for line in capture.as_text(what, *fields, options=CHECK_SUMS).splitlines()[1:]:
        row = dict(zip(fields, line.split("\t")))
        v4, v6 = (row[key].split(",") if row[key] else [] for key in ("ip.dst", "ipv6.dst"))
        assert len(v4) + len(v6) == 2, row
        family = 4 if inner[4] in v4 else 6
        outer = 4 if len(v4) == 2 or family == 6 and v4 else 6
        pairs[f"{family}in{outer}"] += 1
        ttls = row["ip.ttl"].split(",") + row["ipv6.hlim"].split(",")
        assert {ttl for ttl in ttls if ttl} == {"64"}, row
        marks = [mark for key in ("ip.dsfield.dscp", "ipv6.tclass.dscp") for mark in row[key].split(",") if mark]
        assert len(marks) == 2 and set(marks) <= {"46", "0"} and len(set(marks)) == 1, row
        assert "0" not in row["ip.checksum.status"].split(","), row  # 0 is bad, 1 good, 2 unverified
        assert "0" not in row["tcp.checksum.status"].split(","), row
        if mode == "gue" and outer == 6:
            assert row["udp.checksum.status"] == "1", row
    figure(test="outer", mode=mode, **pairs)
    assert set(pairs) == {"4in4", "4in6", "6in4", "6in6"}


@pytest.mark.everyday
@pytest.mark.parametrize("mode", TWO_WAY)
@pytest.mark.parametrize("family", [4, 6])
def test_ttl_falls_by_one_each_way_and_every_checksum_is_right(modes, mode, family):
    to = vip(mode, family)
    with Capture(modes, "sw", "br-wan", f"host {to}") as outside, \
            Capture(modes, "sw", modes.lan, "tcp port 8080 or (ip6 and tcp port 8080)") as inside:
        modes.curl(f"http://{in_url(to)}/name")
    ttl = "ipv6.hlim" if family == 6 else "ip.ttl"
    fields = ("tcp.dstport", ttl, "tcp.checksum.status") + (("ip.checksum.status",) if family == 4 else ())

    def ttls(capture):
        """Destination port -> TTLs; None for that of the client."""
        found = collections.defaultdict(set)
        for line in capture.as_text("tcp", *fields, options=CHECK_SUMS).splitlines()[1:]:
            port, value, *good = line.split("\t")
            assert set(good) == {"1"}, line
            found[int(port) if port in ("80", "8080") else None].add(int(value))
        return found

    assert ttls(outside) == {80: {64}, None: {63}}
    assert ttls(inside) == {8080: {63}, None: {64}}


# ---- workers

@pytest.mark.everyday
def test_packets_on_a_wrong_worker_are_handed_over_and_counted(modes):
    """A port with one queue leaves all steering to software."""
    counts = modes.hand_overs()
    assert counts, "status does not say"
    if modes.workers == 1:
        assert set(counts.values()) == {0}
    elif modes.port_kind == "af_xdp":
        assert max(counts.values()) > 100


def test_one_arm_is_enough(request):
    for lab in new_lab(request, ModesLab, arms=1):
        lab.start()
        for mode in MODES:
            for family in (4, 6):
                got = answers(lab, vip(mode, family), 12)
                assert sum(got.values()) == 12
                to = vip(mode, family)
                with lab.client_socket(to, socket.SOCK_DGRAM) as client:
                    assert ask(client, to, bytes(1000)) in lab.server_names
