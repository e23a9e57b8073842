"""VIPs are announced, so that switches and hosts learn where they are without asking."""

import collections

from lab import VIP4, VIP6, figure, wait_until
from wire import Capture

ARP = ("frame.time_relative", "eth.src", "eth.dst", "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4",
       "arp.dst.proto_ipv4", "arp.isgratuitous")
ND = ("frame.time_relative", "eth.src", "eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.checksum.status",
      "icmpv6.nd.na.flag.s", "icmpv6.nd.na.flag.o", "icmpv6.nd.na.target_address", "icmpv6.opt.linkaddr")


def rows(capture, what, fields):
    Row = collections.namedtuple("Row", [field.replace(".", "_") for field in fields])
    return [Row(*line.split("\t")) for line in capture.as_text(what, *fields).splitlines()[1:]]


def rounds(times):
    """How many there are, when those within 3 ms of each other are one."""
    times = sorted(float(time) for time in times)
    return sum(1 for before, time in zip([-1.0] + times, times) if time - before > 0.003)


def announcements(capture):
    requests = rows(capture, f"arp.src.proto_ipv4 == {VIP4} && arp.isgratuitous && arp.opcode == 1", ARP)
    replies = rows(capture, f"arp.src.proto_ipv4 == {VIP4} && arp.isgratuitous && arp.opcode == 2", ARP)
    advertisements = rows(capture, f"icmpv6.type == 136 && ipv6.dst == ff02::1 && "
                                   f"icmpv6.nd.na.target_address == {VIP6}", ND)
    return requests, replies, advertisements


def start(lab, refresh):
    lab.write_dataplane_toml(f'announce_refresh = "{refresh}"')
    lab.write_ballast_toml(lab.service_toml(check='{ type = "none" }'))
    lab.start_dataplane()
    lab.start_ballastd()


def sent(lab):
    return sum(int(worker.get("announcements", 0)) for worker in lab.ctl_json("status")["dataplane"]["workers"])


def test_vips_are_announced_from_the_start_on(lab):
    with Capture(lab, "sw", "br0", "arp or icmp6") as capture:
        start(lab, "0s")
        wait_until(lambda: sent(lab) >= 15, 5, "five rounds of three frames")
    requests, replies, advertisements = announcements(capture)
    mac = lab.port_mac()
    figure(test="announce", requests=len(requests), replies=len(replies), advertisements=len(advertisements))
    # At +0, +5, +20, +100 ms and +1 s; on a busy machine two rounds may have become one.
    for frames in (requests, replies, advertisements):
        assert 3 <= len(frames) <= 5 and rounds(row.frame_time_relative for row in frames) >= 3
        assert {row.eth_src for row in frames} == {mac}
        assert 0.8 < float(frames[-1].frame_time_relative) - float(frames[0].frame_time_relative) < 1.5
    for row in requests + replies:
        assert (row.eth_dst, row.arp_src_hw_mac, row.arp_dst_proto_ipv4) == ("ff:ff:ff:ff:ff:ff", mac, VIP4)
    for row in advertisements:
        assert (row.eth_dst, row.ipv6_src, row.ipv6_hlim) == ("33:33:00:00:00:01", VIP6, "255")
        assert row.icmpv6_opt_linkaddr == mac and row.icmpv6_checksum_status == "1"
        assert row.icmpv6_nd_na_flag_s in ("0", "False") and row.icmpv6_nd_na_flag_o in ("1", "True")
    assert not capture.as_text("_ws.malformed", "frame.number").splitlines()[1:]


def test_announcements_are_refreshed_and_end_with_the_vip(lab):
    start(lab, "500ms")
    wait_until(lambda: sent(lab) >= 12, 5, "the first rounds")
    with Capture(lab, "sw", "br0", "arp or icmp6") as capture:
        before = sent(lab)
        wait_until(lambda: sent(lab) >= before + 9, 5, "three refreshes")
    assert all(2 <= len(frames) <= 5 for frames in announcements(capture))
    lab.write_ballast_toml(lab.service_toml(listen=("tcp/10.9.0.101:80", "tcp/[fd00:9::101]:80"),
                                            check='{ type = "none" }'))
    lab.ctl("reload")
    with Capture(lab, "sw", "br0", "arp or icmp6") as capture:
        before = sent(lab)
        wait_until(lambda: sent(lab) >= before + 9, 5, "rounds of the new VIPs")
    assert announcements(capture) == ([], [], [])
