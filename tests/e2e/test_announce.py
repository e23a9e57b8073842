"""VIPs are announced, so that switches and hosts learn where they are without asking."""

import collections
import contextlib
import ctypes
import mmap
import os
import signal
import socket
import struct
import time
import types

from lab import VIP4, VIP6, figure, wait_until
from wire import Capture, ethernet, ipv4, ipv6, raw_socket

SLOT, ROUTER = 1, 51
MAC4, MAC6 = f"00:00:5e:00:01:{ROUTER:02x}", f"00:00:5e:00:02:{ROUTER:02x}"
SLOTS = 64  # of the lease page (dataplane/api/lease_page.h)
FORWARD = 64
ANSWER = FORWARD + 8 * SLOTS
WISHES = ANSWER + 8 * SLOTS
HEARTBEATS = WISHES + 8 * SLOTS
TRANSMITTED = HEARTBEATS + 8 * 64  # by port

ARP = ("frame.time_relative", "frame.time_epoch", "eth.src", "eth.dst", "arp.opcode", "arp.src.hw_mac",
       "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "arp.isgratuitous")
ND = ("frame.time_relative", "frame.time_epoch", "eth.src", "eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim",
      "icmpv6.checksum.status", "icmpv6.nd.na.flag.s", "icmpv6.nd.na.flag.o", "icmpv6.nd.na.target_address",
      "icmpv6.opt.linkaddr")


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


# ---- with a lease: what ballastd says and writes, said and written by hand

def field(number, value):
    """A field of a protobuf message."""
    def varint(rest):
        return bytes([rest]) if rest < 128 else bytes([rest & 127 | 128]) + varint(rest >> 7)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def vip(address, mac):
    return field(3, field(2, field(1, address) + field(2, SLOT) + field(3, mac)))


@contextlib.contextmanager
def vips_of_a_virtual_router(lab):
    """A dataplane that is told of both VIPs, in a lease slot and with virtual MACs, by its own contract."""
    dataplane = lab.start_dataplane()
    hello = field(1, 1) + field(2, field(1, 1) + field(2, 1) + field(3, "test"))
    transaction = field(1, 2) + field(3, field(1, 1) + vip(VIP4, MAC4) + vip(VIP6, MAC6))
    with socket.socket(socket.AF_UNIX) as contract:
        contract.settimeout(10)
        contract.connect(str(lab.dir / "run" / "dataplane.sock"))
        for message in (hello, transaction):
            contract.sendall(struct.pack("!I", len(message)) + message)
            size = struct.unpack("!I", contract.recv(4, socket.MSG_WAITALL))[0]
            answer = contract.recv(size, socket.MSG_WAITALL)
        accepted = field(3, field(1, 1) + field(2, 1))
        assert answer == field(1, 2) + accepted
        yield dataplane


@contextlib.contextmanager
def lease_words(lab):
    """The slot's two deadlines and its wish, to be written; how many frames of the twin have left, to be read."""
    with open(lab.dir / "run" / "leases", "r+b") as file, mmap.mmap(file.fileno(), 0) as page:
        places = {"forward": FORWARD + 8 * SLOT, "answer": ANSWER + 8 * SLOT, "wish": WISHES + 8 * SLOT,
                  "transmitted": TRANSMITTED}
        words = types.SimpleNamespace(**{name: ctypes.c_uint64.from_buffer(page, at) for name, at in places.items()})
        yield words
        vars(words).clear()  # the page cannot be closed before


def test_a_lease_is_announced_with_the_virtual_mac_until_its_end_and_not_longer(lab):
    lab.write_dataplane_toml('announce_refresh = "20ms"')
    with vips_of_a_virtual_router(lab), lease_words(lab) as words, Capture(lab, "sw", "br0", "arp or icmp6") as capture:
        time.sleep(0.3)
        to_epoch = time.time_ns() - time.monotonic_ns()
        taken = time.monotonic_ns()
        end = taken + 500_000_000
        words.answer.value = words.forward.value = end
        time.sleep(1)
    first = 1e9
    for frames, mac in zip(announcements(capture), (MAC4, MAC4, MAC6)):
        assert {row.eth_src for row in frames} == {mac}
        times = [int(float(row.frame_time_epoch) * 1e9) - to_epoch for row in frames]
        figure(test="lease", mac=mac, frames=len(frames), first_ms=round((times[0] - taken) / 1e6, 1),
               last_before_end_ms=round((end - times[-1]) / 1e6, 1))
        first = min(first, times[0] - taken)
        assert len(frames) >= 10 and times[-1] < end + 1_000_000  # the clocks of capture and lease are read apart
    assert first >= 4_500_000  # it was not said that this is no preemption


def test_a_round_that_is_asked_for_comes_at_once(lab):
    lab.write_dataplane_toml('announce_refresh = "0s"')
    with vips_of_a_virtual_router(lab), lease_words(lab) as words:
        words.answer.value = words.forward.value = time.monotonic_ns() + 60_000_000_000
        time.sleep(1.2)
        with Capture(lab, "sw", "br0", "arp or icmp6") as capture:
            words.wish.value = time.monotonic_ns()
    assert [len(frames) for frames in announcements(capture)] == [1, 1, 1]


def test_a_lease_that_only_forwards_is_not_announced_until_it_answers(lab):
    lab.write_dataplane_toml('announce_refresh = "20ms"')
    with vips_of_a_virtual_router(lab), lease_words(lab) as words, Capture(lab, "sw", "br0", "arp or icmp6") as capture:
        to_epoch = time.time_ns() - time.monotonic_ns()
        words.forward.value = time.monotonic_ns() + 60_000_000_000
        time.sleep(0.3)
        answers = time.monotonic_ns()
        words.answer.value = answers + 60_000_000_000
        time.sleep(0.3)
        mute = time.monotonic_ns()
        words.answer.value = 0
        time.sleep(0.3)
    for frames in announcements(capture):
        times = [int(float(row.frame_time_epoch) * 1e9) - to_epoch for row in frames]
        # The clocks of capture and lease are read apart; a frame may be on its way already.
        assert len(frames) >= 5 and times[0] > answers and times[-1] < mute + 5_000_000


def advert(router, centiseconds=100):
    return struct.pack("!BBBBHH", 0x31, router, 100, 1, centiseconds, 0)


def advert_frame(router, centiseconds=100):
    return ethernet("01:00:5e:00:00:12", "02:00:00:00:00:77", 0x0800,
                    ipv4("10.9.0.10", "224.0.0.18", 112, advert(router, centiseconds), ttl=255))


def test_adverts_leave_the_twin_with_the_virtual_mac_of_their_router(lab):
    sent = {}
    with vips_of_a_virtual_router(lab), lease_words(lab) as words, \
            Capture(lab, "sw", "br0", "proto 112 or ip6 proto 112") as capture:
        before = words.transmitted.value
        with raw_socket(lab.ns("lb"), "wan") as twin:
            for router in (ROUTER, ROUTER + 1):
                twin.send(advert_frame(router))
                twin.send(ethernet("33:33:00:00:00:12", "02:00:00:00:00:77", 0x86DD,
                                   ipv6("fe80::1", "ff02::12", 112, advert(router), hop_limit=255)))
        wait_until(lambda: words.transmitted.value >= before + 4, 5, "the adverts to have left")
    for row in rows(capture, "vrrp", ("eth.src", "eth.type", "vrrp.virt_rtr_id")):
        sent[row.eth_type, int(row.vrrp_virt_rtr_id)] = row.eth_src
    assert sent == {("0x0800", ROUTER): MAC4, ("0x86dd", ROUTER): MAC6,
                    ("0x0800", ROUTER + 1): "02:00:00:00:00:77", ("0x86dd", ROUTER + 1): "02:00:00:00:00:77"}


def test_adverts_that_waited_for_longer_than_their_interval_do_not_leave(lab):
    with vips_of_a_virtual_router(lab) as dataplane, Capture(lab, "sw", "br0", "proto 112") as capture:
        with raw_socket(lab.ns("lb"), "wan") as twin:
            os.kill(dataplane.pid, signal.SIGSTOP)
            time.sleep(0.2)  # until each of its threads has stopped
            for centiseconds in (10, 4000):  # one has waited for too long by then
                twin.send(advert_frame(ROUTER, centiseconds))
            time.sleep(0.5)
            os.kill(dataplane.pid, signal.SIGCONT)
            time.sleep(0.2)
            twin.send(advert_frame(ROUTER, 11))
    left = [row.vrrp_short_adver_int for row in rows(capture, "vrrp", ("eth.src", "vrrp.short_adver_int"))]
    assert left == ["4000", "11"]
