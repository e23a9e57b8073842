"""The node's own addresses, which its kernel has on the port's twin, and the VIPs, which only the dataplane has."""

import json
import socket

import pytest

from lab import VIP4, VIP6, figure, wait_until
from wire import Capture, parse

NODE4, NODE6 = "10.9.0.10", "fd00:9::10"
OURS = pytest.mark.parametrize("address", [NODE4, NODE6, VIP4, VIP6])
NODE = pytest.mark.parametrize("address", [NODE4, NODE6])


def in_url(address):
    return f"[{address}]" if ":" in address else address


def neighbor(lab, name, address):
    return [row.get("lladdr") for row in json.loads(
        lab.ip(name, "-j", "neigh", "show", "to", address).stdout or "[]")]


@OURS
def test_ping_is_answered(shared_lab, address):
    count = 10
    out = shared_lab.exec("client", "ping", "-n", "-c", count, "-i", "0.1", "-W", "5", address, check=False).stdout
    figure(test="ping", address=address, sent=count, received=count if f"{count} received" in out else out)
    assert f" {count} received" in out and "DUP!" not in out
    assert neighbor(shared_lab, "client", address) == [shared_lab.port_mac()]


@OURS
@pytest.mark.parametrize("size", [0, 1, 1400])
def test_ping_of_every_size_is_answered(shared_lab, address, size):
    out = shared_lab.exec("client", "ping", "-n", "-c", 2, "-i", "0.1", "-W", "5", "-s", size, address,
                          check=False).stdout
    assert " 2 received" in out and "DUP!" not in out


def question_and_answers(lab, address):
    """The client pings with an empty neighbour table: its questions for the MAC, the answers to them, the replies."""
    with Capture(lab, "sw", "br0", "arp or icmp or icmp6") as capture:
        lab.ip("client", "neigh", "flush", "all")
        lab.exec("client", "ping", "-n", "-c", 1, "-W", "5", address)
    frames = [parse(data) for data in capture.frames()]
    if ":" in address:
        client, reply = "fd00:9::1", 129
        asked = [f for f in frames if f.protocol == 58 and f.payload[0] == 135 and f.source == client
                 and f.payload[8:24] == socket.inet_pton(socket.AF_INET6, address)]
        told = [f for f in frames if f.protocol == 58 and f.payload[0] == 136 and f.destination == client
                and f.payload[8:24] == socket.inet_pton(socket.AF_INET6, address)]
    else:
        client, reply = "10.9.0.1", 0
        asked = [f for f in frames if f.ethertype == 0x0806 and f.packet[7] == 1
                 and f.packet[14:18] == socket.inet_aton(client) and f.packet[24:28] == socket.inet_aton(address)]
        told = [f for f in frames if f.ethertype == 0x0806 and f.packet[7] == 2
                and f.packet[14:18] == socket.inet_aton(address) and f.packet[24:28] == socket.inet_aton(client)]
    replies = [f for f in frames if f.protocol in (1, 58) and f.source == address and f.payload[0] == reply]
    return asked, told, replies


@OURS
def test_there_is_one_answer_to_each_question(shared_lab, address):
    """The kernel of the load balancer does not answer a second time, on its twin or on the port's own interface."""
    lab, mac = shared_lab, shared_lab.port_mac()
    for _ in range(3):
        asked, told, replies = question_and_answers(lab, address)
        if asked:  # else the balancer's kernel asked for the client in this very moment, and the client learnt from it
            break
    figure(test="answers", address=address, asked=len(asked), told=len(told), replies=len(replies))
    assert len(asked) >= 1 and len(told) == len(asked) and len(replies) == 1
    assert {f.source_mac for f in told + replies} == {mac}


@NODE
def test_a_closed_port_of_the_node_gives_one_reset(shared_lab, address):
    with Capture(shared_lab, "sw", "br0", f"host {address} and port 4444") as capture:
        with shared_lab.client_socket(address, socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
            client.connect((address, 4444))
    frames = [parse(data) for data in capture.frames()]
    assert [f.payload[13] & 0x06 for f in frames] == [0x02, 0x04]  # SYN, RST


@NODE
def test_the_node_serves_and_fetches_by_tcp(shared_lab, address):
    lab = shared_lab
    family = "::" if ":" in address else "0.0.0.0"
    port = 8006 if ":" in address else 8004
    web = lab.dir / "node-web"
    web.mkdir(exist_ok=True)
    (web / "name").write_text("the node itself\n")
    size = 5_000_000
    (web / "some").write_bytes(bytes(range(250)) * (size // 250))
    lab.spawn("lb", f"http-{port}", "/usr/bin/python3", "-m", "http.server", port, "--bind", family, "-d", web)
    url = f"http://{in_url(address)}:{port}"
    wait_until(lambda: lab.curl(f"{url}/name", check=False).stdout == "the node itself\n", 10, "the node's own server")
    target = lab.dir / "some"
    lab.curl(f"{url}/some", "-o", target)
    assert target.read_bytes() == (web / "some").read_bytes()
    for host in (11, 12, 13):
        server = f"fd00:9::{host}" if ":" in address else f"10.9.0.{host}"
        got = lab.exec("lb", "curl", "-sS", "--max-time", 20, f"http://{in_url(server)}/name").stdout.strip()
        assert got == f"rs{host - 10}"


@pytest.mark.parametrize("address", ["10.9.0.77", "fd00:9::77"])
def test_nothing_answers_for_an_address_that_is_nobody_s(shared_lab, address):
    out = shared_lab.exec("client", "ping", "-n", "-c", 2, "-i", "0.2", "-W", "1", address, check=False).stdout
    assert " 0 received" in out
    assert shared_lab.port_mac() not in neighbor(shared_lab, "client", address)
    figure(test="nobody", address=address, received=0)


@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_the_kernel_of_the_node_has_no_vip(shared_lab, vip):
    assert vip not in shared_lab.ip("lb", "addr").stdout
