"""ICMP errors about connections, in every mode: path MTU, traceroute, what is unreachable; in both directions."""

import errno
import select
import socket
import struct
import time

import pytest

from conftest import new_lab
from lab import figure, in_url, wait_until
from modes_lab import (BEHIND_ROUTER, CLIENTS, DEEP, LOCALS, MODES, NODE, SMALL_MTU, TUNNELS, TWO_WAY, UNREACHABLE,
                       ModesLab, matrix, six, vip)
from web import big_file, digest
from wire import checksum, ethernet, ipv4, raw_socket, udp

SOME = 3_000_000
ONE, DEEP_PORT, GONE, CLOSED = 81, 82, 83, 84  # ports of VIPs: rs1; rs4; a host that is unreachable; a closed port
OVERHEAD = {"ipip": (20, 40), "gre": (24, 44), "gue": (32, 52)}  # over IPv4, over IPv6


def services(lab):
    for mode in MODES:
        yield lab.udp_service(mode)
        yield lab.service_of(mode, f"{mode}-one", ONE, lab.addresses_of("rs1"))
        if mode in TWO_WAY:
            yield lab.service_of(mode, f"{mode}-deep", DEEP_PORT, DEEP)
            yield lab.service_of(mode, f"{mode}-gone", GONE, UNREACHABLE)
            yield lab.service_of(mode, f"{mode}-closed", CLOSED, lab.addresses_of("rs1"), "udp", 9)


@pytest.fixture(scope="module")
def modes(request):
    for made in new_lab(request, ModesLab):
        made.write_ballast_toml(*services(made))
        made.start()
        big_file(made, SOME)
        yield made


@pytest.fixture(autouse=True)
def forgetful(modes):
    """Hosts that know no path MTU yet."""
    modes.forget_path_mtu()


# ---- path MTU

def peer_of(mode, family):
    """Whom the server talks to."""
    if mode == "fullnat":
        return [each for each in LOCALS if six(each) == (family == 6)]
    return [CLIENTS["far"][family == 6]]


@matrix("everyday")
def test_a_server_learns_of_a_small_link_to_the_client(modes, mode, family):
    """The client says that it takes 1500 bytes; the router in front of it has a link of 1400."""
    to, target = vip(mode, family), modes.dir / "downloaded"
    began = time.monotonic()
    modes.exec("far", "curl", "-sS", "--max-time", 20, "-o", target, f"http://{in_url(to)}:{ONE}/big")
    took = time.monotonic() - began
    assert digest(target) == digest(big_file(modes, SOME))
    own = ("from", to) if mode not in TWO_WAY else ("from", modes.addresses_of("rs1")[family == 6])
    learnt = [modes.path_mtu("rs1", peer, *own) for peer in peer_of(mode, family)]
    figure(test="path_mtu", side="client", mode=mode, family=family, bytes=SOME, ms=round(took * 1000),
           learnt=max(each or 0 for each in learnt))
    assert SMALL_MTU in learnt


def upload(lab, to, port, name):
    began = time.monotonic()
    lab.curl(f"http://{in_url(to)}:{port}/upload/{name}", "-f", "-T", big_file(lab, SOME), timeout=20)
    stored = list(lab.dir.glob(f"nginx-rs*/html/upload/{name}"))
    assert len(stored) == 1 and digest(stored[0]) == digest(big_file(lab, SOME))
    return round((time.monotonic() - began) * 1000)


@matrix("everyday", modes=TWO_WAY)
def test_a_client_learns_of_a_small_link_to_the_server(modes, mode, family):
    to = vip(mode, family)
    took = upload(modes, to, DEEP_PORT, f"{mode}-{family}")
    learnt = modes.path_mtu("client", to)
    figure(test="path_mtu", side="server", mode=mode, family=family, bytes=SOME, ms=took, learnt=learnt)
    assert learnt == SMALL_MTU


@matrix("everyday", modes=TUNNELS)
def test_a_client_learns_what_fits_into_the_tunnel(modes, mode, family):
    to = vip(mode, family)
    for number in range(2):  # one to each of the server's two addresses
        took = upload(modes, to, ONE, f"{mode}-{family}-{number}")
    learnt = modes.path_mtu("client", to)
    figure(test="path_mtu", side="tunnel", mode=mode, family=family, bytes=SOME, ms=took, learnt=learnt)
    assert learnt in {1500 - each for each in OVERHEAD[mode]}


# ---- traceroute

ERRORS = {4: (socket.IPPROTO_IP, 11, socket.IP_TTL), 6: (socket.IPPROTO_IPV6, 25, socket.IPV6_UNICAST_HOPS)}


def hop(client, to, port, ttl, seconds=2.0):
    """(ICMP type, who sent it) or ("answer", who); (None, None) for silence."""
    level, receive_errors, ttl_option = ERRORS[6 if six(to) else 4]
    client.setsockopt(level, receive_errors, 1)
    client.setsockopt(level, ttl_option, ttl)
    client.sendto(b"where?", (to, port))
    if not select.select([client], [], [client], seconds)[0]:
        return None, None
    client.setblocking(False)
    try:
        _, messages, _, _ = client.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    except BlockingIOError:
        return "answer", client.recvfrom(2048)[1][0]
    data = messages[0][2]  # struct sock_extended_err, then the address of the one who found fault
    kind, address = data[5], data[16:]
    if six(to):
        return kind, socket.inet_ntop(socket.AF_INET6, address[8:24])
    return kind, socket.inet_ntop(socket.AF_INET, address[4:8])


def traceroute(lab, name, to, port=53):
    found = []
    for ttl in range(1, 6):
        with lab.socket_of(name, to, socket.SOCK_DGRAM) as client:
            found.append(hop(client, to, port, ttl))
        if found[-1][0] == "answer":
            break
    return found


@matrix("everyday")
def test_traceroute_shows_the_load_balancer_where_it_routes(modes, mode, family):
    to = vip(mode, family)
    found = traceroute(modes, "far", to)
    figure(test="traceroute", mode=mode, family=family, hops=",".join(f"{who}({kind})" for kind, who in found))
    expired = 3 if family == 6 else 11
    wanted = [(expired, f"{BEHIND_ROUTER[family == 6]}254"), ("answer", to)]
    if mode in TWO_WAY:
        wanted.insert(1, (expired, NODE["wan"][family == 6].split("/")[0]))
    assert found == wanted


# ---- unreachable

@matrix("everyday", modes=TWO_WAY)
def test_a_client_is_told_by_a_router_behind_that_the_server_is_unreachable(modes, mode, family):
    to = vip(mode, family)
    with modes.client_socket(to, socket.SOCK_STREAM) as client, pytest.raises(OSError) as problem:
        client.connect((to, GONE))
    assert problem.value.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH), problem.value


@matrix("everyday", modes=TWO_WAY)
def test_a_client_is_told_by_the_server_that_nobody_listens(modes, mode, family):
    to = vip(mode, family)
    with modes.client_socket(to, socket.SOCK_DGRAM) as client:
        client.connect((to, CLOSED))
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)


def errors_heard(lab, family):
    """ICMP errors that kernels of servers took as being about a socket of theirs."""
    total = 0
    for name in lab.server_names:
        if family == 4:
            lines = [line.split() for line in lab.exec(name, "cat", "/proc/net/snmp").stdout.splitlines()
                     if line.startswith("Icmp:")]
            values = dict(zip(lines[0], lines[1]))
            total += int(values["InDestUnreachs"]) - int(values["InErrors"])
        else:
            values = dict(line.split() for line in lab.exec(name, "cat", "/proc/net/snmp6").stdout.splitlines())
            total += int(values["Icmp6InDestUnreachs"]) - int(values["Icmp6InErrors"])
    return total


@matrix("everyday")
def test_a_server_is_told_that_its_client_is_gone(modes, mode, family):
    to = vip(mode, family)
    before = errors_heard(modes, family)
    client = modes.client_socket(to, socket.SOCK_DGRAM)
    client.sendto(b"I am gone before you answer", (to, 53))
    client.close()  # an answer that comes in time is one the kernel of the client says nothing about
    for _ in range(10):
        with modes.client_socket(to, socket.SOCK_DGRAM) as client:
            client.sendto(b"and I", (to, 53))
    wait_until(lambda: errors_heard(modes, family) > before, 5, "an ICMP error at a server")


# ---- forged ones

def icmp_unreachable(to, quoted):
    """Port unreachable about an IPv4 packet."""

    body = struct.pack("!BBHI", 3, 3, 0, 0) + quoted
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ipv4(CLIENTS["client"][0], to, 1, body)


@pytest.mark.everyday
@pytest.mark.parametrize("mode", MODES)
def test_an_error_about_no_connection_or_from_elsewhere_goes_nowhere(modes, mode):

    to, own = vip(mode, 4), CLIENTS["client"][0]
    before, heard = modes.drops(), errors_heard(modes, 4)
    macs = modes.port_mac(), modes.mac("client", "eth0")
    with raw_socket(modes.ns("client"), "eth0") as wire:
        for source, destination in ((to, own), ("10.9.0.77", own), (own, to)):
            quoted = ipv4(source, destination, 17, udp(source, destination, 53, 9999, b"12345678"))
            wire.send(ethernet(*macs, 0x0800, icmp_unreachable(to, quoted)))
    wait_until(lambda: sum(modes.drops().get(reason, 0) - before.get(reason, 0)
                           for reason in ("icmp_unmatched", "icmp_inner")) == 3, 5, "all three to be dropped")
    assert errors_heard(modes, 4) == heard
