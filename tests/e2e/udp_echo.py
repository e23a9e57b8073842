#!/usr/bin/env python3
"""A UDP server: udp_echo.py NAME PORT ADDRESS...; answers a datagram with "NAME " and the datagram, from the address it
came to."""

import selectors
import socket
import sys


def main():
    name, port, addresses = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    selector = selectors.DefaultSelector()
    for address in addresses:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        selector.register(made, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            data, client = key.fileobj.recvfrom(65535)
            key.fileobj.sendto(name.encode() + b" " + data, client)


main()
