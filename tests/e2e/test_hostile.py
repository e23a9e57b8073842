"""Packets that nobody should send, by the thousand, while requests go on: none of these may fail."""

import random
import struct
import time

import pytest

import wire
from lab import VIP4, VIP6, figure, wait_until

CLIENT4, CLIENT6 = "10.9.0.1", "fd00:9::1"
EACH = 20  # packets of every kind


class Attacker:
    """Sends frames from the client's namespace to the load balancer's port."""

    def __init__(self, lab):
        self.lab_mac, self.mac = lab.port_mac(), lab.mac("client", "eth0")
        self.socket = wire.raw_socket(lab.ns("client"), "eth0")
        self.sent = 0

    def send(self, ethertype, payload, count=1, source_mac=None):
        frame = wire.ethernet(self.lab_mac, source_mac or self.mac, ethertype, payload)
        for _ in range(count):
            try:
                self.socket.send(frame)
            except OSError:  # no buffers: the flood is faster than the machine
                time.sleep(0.01)
                continue
            self.sent += 1
            if self.sent % 64 == 0:
                time.sleep(0.002)  # the queues of a small machine are for the requests, too

    def packet(self, source, destination, protocol, payload, count=1, **options):
        self.send(*wire.packet(source, destination, protocol, payload, **options), count)


def syn(vip=VIP4, port=80, **options):
    source = CLIENT6 if ":" in vip else CLIENT4
    return wire.tcp(source, vip, 44444, port, **options)


def icmp_error(inner, checksum=None):
    def message(value):
        return struct.pack("!BBHI", 3, 4, value, 1400) + inner
    return message(wire.checksum(message(0)) if checksum is None else checksum)


def v4(payload, protocol=6, source=CLIENT4, destination=VIP4, **options):
    return 0x0800, wire.ipv4(source, destination, protocol, payload, **options)


def v6(payload, protocol=6, source=CLIENT6, destination=VIP6, **options):
    return 0x86DD, wire.ipv6(source, destination, protocol, payload, **options)


def extension(next_header, body=bytes(6)):
    return struct.pack("!BB", next_header, 0) + body


def hop_by_hops(count):
    return b"".join(extension(60) for _ in range(count - 1)) + extension(6) + syn(VIP6)


# The reason that is counted, and an EtherType with a payload.
MALFORMED = {
    "ethertype_unknown": (0x88B5, bytes(50)),
    "ipv4_short": (0x0800, b"\x45" + bytes(9)),
    "ipv4_version": v4(syn(), version=5),
    "ipv4_header_length": v4(syn(), header_words=4),
    "ipv4_total_length": v4(syn(), total_length=1500),
    "ipv4_checksum": v4(syn(), header_checksum=0x1234),
    "ipv4_options": v4(syn(), options=b"\x83\x07\x04\x0a\x09\x00\x01\x00"),  # loose source routing
    "ipv6_short": (0x86DD, b"\x60" + bytes(20)),
    "ipv6_version": v6(syn(VIP6), version=7),
    "ipv6_payload_length": v6(syn(VIP6), payload_length=1400),
    "ipv6_extension_header": v6(hop_by_hops(30), protocol=60),
    "ipv6_routing_header": v6(struct.pack("!BBBBI", 6, 2, 0, 1, 0) + bytes(16) + syn(VIP6), protocol=43),
    "source_address": v4(syn(), source="224.0.0.5"),
    "land_attack": v4(syn(), source=VIP4),
    "ttl_expired": v4(syn(), ttl=0),
    "tcp_short": v4(syn()[:15]),
    "tcp_header_length": v4(syn(words=3)),
    "tcp_flags": v4(syn(flags=0x03)),
    "udp_short": v4(b"\0\1\0", protocol=17),
    "udp_length": v4(wire.udp(CLIENT4, VIP4, 1000, 80, length=2000), protocol=17),
    "port_zero": v4(wire.tcp(CLIENT4, VIP4, 0, 80)),
    "icmp_short": v4(b"\x08\x00", protocol=1),
    "icmp_checksum": v4(icmp_error(bytes(28), checksum=0x4242), protocol=1),
    "icmp_inner": v4(icmp_error(b"\xff" * 28), protocol=1),
    "icmp_unmatched": v4(icmp_error(wire.ipv4(VIP4, CLIENT4, 6, syn()[:20], total_length=40)), protocol=1),
    "fragment_tiny": v4(syn()[:8], fragment=0x2000),
    "fragment_later": v4(bytes(64), protocol=1, fragment=0x0010),  # with ports it would wait for its first
    "arp_malformed": (0x0806, bytes(10)),
    "no_service": v4(syn(port=81)),
    "protocol_unsupported": v4(bytes(40), protocol=132),
    "not_syn": v4(syn(flags=0x10)),
    "transit": v4(wire.tcp(CLIENT4, "203.0.113.1", 4444, 80), destination="203.0.113.1"),
}


def test_each_malformed_packet_is_counted_with_its_reason(shared_lab):
    lab, attacker, missing = shared_lab, Attacker(shared_lab), []
    # AF_PACKET with several queues puts fragments together, or drops them, before anybody else sees them.
    kinds = {reason: frame for reason, frame in MALFORMED.items()
             if lab.port_kind != "af_packet" or not reason.startswith("fragment")}
    for reason, (ethertype, payload) in kinds.items():
        before = lab.drops().get(reason, 0)
        attacker.send(ethertype, payload, EACH)
        try:
            wait_until(lambda: lab.drops().get(reason, 0) >= before + EACH, 3, reason)
        except TimeoutError:
            missing.append((reason, lab.drops().get(reason, 0) - before))
    figure(test="malformed", kinds=len(kinds), each=EACH, missing=len(missing))
    assert not missing, (missing, lab.drops())


def mutations(chance, seeds, count):
    """Bytes changed, cut off and added, in packets that are right."""
    for _ in range(count):
        ethertype, payload = chance.choice(seeds)
        changed = bytearray(payload)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        kind = chance.randrange(4)
        if kind == 0:
            changed = changed[:chance.randrange(len(changed))]
        elif kind == 1:
            changed += chance.randbytes(chance.randint(1, 400))
        yield ethertype, bytes(changed[:1500])


def seeds_of_mutation():
    fragments = [v4(bytes(32), fragment=offset | more) for offset in (0, 1, 185, 8191) for more in (0, 0x2000)]
    chains = [v6(b"".join(extension(following) for following in (43, 44, 60, 6)) + syn(VIP6), protocol=first)
              for first in (0, 43, 44, 51, 60)]
    good = [v4(syn()), v6(syn(VIP6)), v4(wire.udp(CLIENT4, VIP4, 5, 53), protocol=17),
            v4(wire.tcp(CLIENT4, "10.9.0.10", 5, 22), destination="10.9.0.10")]
    return list(MALFORMED.values()) + fragments + chains + good


def flood_malformed(attacker, count):
    chance = random.Random(20)
    for ethertype, payload in mutations(chance, seeds_of_mutation(), count // 2):
        attacker.send(ethertype, payload)
    for _ in range(count // 2):
        attacker.send(chance.choice([0x0800, 0x86DD, 0x0806, 0x8100, chance.randrange(1536, 65536)]),
                      chance.randbytes(chance.randrange(1500)))


def flood_unknown(attacker, count):
    """SYNs and datagrams from everywhere, to addresses and ports that nobody has."""
    chance = random.Random(21)
    for number in range(count):
        source, port = f"192.0.2.{chance.randint(1, 254)}", chance.randint(1, 65535)
        destination = VIP4 if number % 2 else f"10.9.{chance.randint(1, 250)}.{chance.randint(1, 250)}"
        if number % 3:
            attacker.packet(source, destination, 6, wire.tcp(source, destination, port, chance.randint(81, 65535)))
        else:
            attacker.packet(source, destination, 17, wire.udp(source, destination, port, chance.randint(1, 65535)))
        if number % 4 == 0:
            attacker.packet(CLIENT6, VIP6, 6, wire.tcp(CLIENT6, VIP6, port, chance.randint(81, 65535)))


def flood_syn(attacker, count):
    """SYNs to the service, from clients that never answer."""
    chance = random.Random(22)
    for _ in range(count):
        source = f"198.51.{chance.randint(0, 255)}.{chance.randint(1, 254)}"
        attacker.packet(source, VIP4, 6, wire.tcp(source, VIP4, chance.randint(1, 65535), 80))


@pytest.mark.parametrize("flood, count", [(flood_malformed, 20000), (flood_unknown, 20000), (flood_syn, 20000)])
def test_requests_go_on_under_a_flood(lab, flood, count):
    lab.write_dataplane_toml(untrusted=2000)
    lab.start()
    attacker = Attacker(lab)
    # A packet that the flood pushes out of a queue is sent again by TCP: the request is late, not lost.
    with lab.load(timeout=20, threads=2) as load:
        flood(attacker, count)
        time.sleep(0.5)
    drops = lab.drops()
    status = lab.ctl_json("status")["dataplane"]
    figure(test=flood.__name__, frames=attacker.sent, dropped=sum(drops.values()), reasons=len(drops),
           untrusted=status["untrustedConnections"], requests=load.result["requests"], failed=load.result["failed"])
    print("  " + " ".join(f"{reason}={packets}" for reason, packets in sorted(drops.items())))
    assert load.result["failed"] == 0, load.result["failures"][:5]
    assert load.result["requests"] > 20
    assert int(status["untrustedConnections"]) <= 2000
    if flood is flood_syn:  # the oldest untrusted make room
        assert sum(int(worker["recycled"]) for worker in status["workers"]) > 0
    else:
        assert sum(drops.values()) > attacker.sent / 4
    assert {"rs1", "rs2", "rs3"} == set(load.result["answers"])
