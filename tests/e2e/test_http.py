"""Web traffic through the VIP: who answers, big transfers, and what is on the wire."""

import time

import pytest

from lab import VIP4, VIP6, figure, in_url, wait_until
from web import BIG, answers, big_file, digest
from wire import Capture, parse

VIPS = pytest.mark.parametrize("vip", [VIP4, VIP6])


@VIPS
def test_round_robin_gives_every_server_its_share(shared_lab, vip):
    count = 60
    got = answers(shared_lab, vip, count)
    figure(test="rr", vip=vip, requests=count, failed=count - sum(got.values()), **got)
    assert sum(got.values()) == count
    # Each worker goes round by itself, from a place of its own.
    for server in shared_lab.server_names:
        assert abs(got[server] - count / 3) <= shared_lab.workers


@VIPS
def test_weighted_round_robin_follows_the_weights(lab, vip):
    lab.write_ballast_toml(lab.service_toml(scheduler="wrr", weights={"rs1": 1, "rs2": 2, "rs3": 3}))
    lab.start()
    count = 60
    got = answers(lab, vip, count)
    figure(test="wrr", vip=vip, requests=count, failed=count - sum(got.values()), **got)
    assert sum(got.values()) == count
    for weight, server in enumerate(lab.server_names, 1):
        assert abs(got[server] - count * weight / 6) <= 2 * lab.workers


@VIPS
def test_a_download_of_100_mb_arrives_whole(shared_lab, vip):
    source, target = big_file(shared_lab), shared_lab.dir / "downloaded"
    began = time.monotonic()
    shared_lab.curl(f"http://{in_url(vip)}/big", "-o", target, timeout=120)
    took = time.monotonic() - began
    assert target.stat().st_size == BIG
    assert digest(target) == digest(source)
    target.unlink()
    figure(test="download", vip=vip, bytes=BIG, ms=round(took * 1000))


@VIPS
def test_an_upload_of_100_mb_arrives_whole(shared_lab, vip):
    source, name = big_file(shared_lab), f"from-{'6' if ':' in vip else '4'}"
    began = time.monotonic()
    shared_lab.curl(f"http://{in_url(vip)}/upload/{name}", "-f", "-T", source, timeout=120)
    took = time.monotonic() - began
    stored = list(shared_lab.dir.glob(f"nginx-rs*/html/upload/{name}"))
    assert len(stored) == 1
    assert digest(stored[0]) == digest(source)
    stored[0].unlink()
    figure(test="upload", vip=vip, bytes=BIG, ms=round(took * 1000))


@VIPS
def test_a_syn_leaves_as_it_came_but_for_its_mac_addresses(shared_lab, vip):
    # On the bridge every packet is seen once; the server's answer goes past the load balancer.
    what = f"host {vip} and (tcp or ip6 proto 6)"
    with Capture(shared_lab, "sw", "br0", what) as capture:
        shared_lab.who_answers(vip)

        def two_syns():
            found = [frame for frame in map(parse, capture.frames()) if frame.is_syn and frame.destination == vip]
            return found if len(found) >= 2 else None

        came, went = wait_until(two_syns, 10, "the SYN on its two ways")[:2]
    family = "ipv6" if ":" in vip else "ip"
    print(capture.as_text(f"{family}.dst == {vip} and tcp.flags.syn == 1", "eth.src", "eth.dst", f"{family}.src",
                          f"{family}.dst", "ipv6.hlim" if ":" in vip else "ip.ttl", "ip.checksum", "tcp.srcport",
                          "tcp.dstport", "tcp.seq_raw", "tcp.checksum"))
    lb_mac = shared_lab.port_mac()
    assert came.destination_mac == went.source_mac == lb_mac
    assert came.source_mac == shared_lab.mac("client", "eth0")
    assert went.destination_mac in [shared_lab.mac(name, "eth0") for name in shared_lab.server_names]
    assert came.packet == went.packet  # IP and TCP headers, TTL and checksums included, to the last byte
    figure(test="syn", vip=vip, ip_bytes=len(came.packet), changed_ip_bytes=0)
