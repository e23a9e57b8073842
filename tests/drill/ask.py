#!/usr/bin/env python3
"""Asks for the VIPs' MACs at ports of the switch, every few milliseconds, as a host of that network would.

It asks each node alone, by putting the question on the node's cable, so that every 5 ms there is an answer to "do you
own it?" from each. Whoever answers is seen by the capture at the port; the answer itself ends there (network.py), and
teaches neither the switch nor the client anything. Ends by SIGTERM, which ends the process.
"""

import contextlib
import ipaddress
import socket
import struct
import sys
import time

from wire import checksum, ethernet, ipv6, pseudo_header

from .network import ASKER_MAC

LONGEST_RUN_SECONDS = 600
ASKER4, ASKER6 = "10.9.0.77", "fd00:9::77"
MAC = bytes.fromhex(ASKER_MAC.replace(":", ""))


def arp_question(vip):
    return ethernet("ff:ff:ff:ff:ff:ff", ASKER_MAC, 0x0806, struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, MAC, socket.inet_aton(ASKER4), bytes(6), socket.inet_aton(vip)))


def neighbor_solicitation(vip):
    target = ipaddress.ip_address(vip).packed
    group = "ff02::1:ff" + target[-3:].hex()[:2] + ":" + target[-2:].hex()
    body = bytes(4) + target + struct.pack("!BB6s", 1, 1, MAC)
    sum_ = checksum(pseudo_header(ASKER6, group, 58, len(body) + 4) + struct.pack("!BBH", 135, 0, 0) + body)
    return ethernet("33:33:ff:" + ":".join(f"{byte:02x}" for byte in target[-3:]), ASKER_MAC, 0x86DD,
                    ipv6(ASKER6, group, 58, struct.pack("!BBH", 135, 0, sum_) + body, hop_limit=255))


def main():
    interval, *words = sys.argv[1:]
    ports = [word for word in words if not word[:1].isdigit() and ":" not in word]
    vips = [word for word in words if word not in ports]
    questions = [neighbor_solicitation(vip) if ":" in vip else arp_question(vip) for vip in vips]
    sockets = []
    for port in ports:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        made.bind((port, 0))
        sockets.append(made)
    due = began = time.monotonic()
    while due - began < LONGEST_RUN_SECONDS:
        for made in sockets:
            for question in questions:
                with contextlib.suppress(OSError):  # a cut cable
                    made.send(question)
        due = max(due + float(interval), time.monotonic() - float(interval))
        time.sleep(max(0.0, due - time.monotonic()))


main()
