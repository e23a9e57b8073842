"""Frames: captured, taken apart, and made by hand."""

import ipaddress
import secrets
import signal
import socket
import struct
import time

from lab import ROOT, inside, run, wait_until

GUE = f"lua_script:{ROOT}/tests/e2e/gue.lua"  # which tshark does not know


class Frame:
    """The fields of an Ethernet frame that tests ask for; None where a frame has no such field."""

    def __init__(self, data):
        self.data = data
        self.destination_mac, self.source_mac = (":".join(f"{b:02x}" for b in data[i:i + 6]) for i in (0, 6))
        self.ethertype = struct.unpack_from("!H", data, 12)[0]
        self.packet = data[14:]
        self.source = self.destination = self.protocol = None
        self.payload = b""
        if self.ethertype == 0x0800:
            self._ipv4()
        elif self.ethertype == 0x86DD:
            self._ipv6()

    def _ipv4(self):
        header = (self.packet[0] & 15) * 4
        self.packet = self.packet[:struct.unpack_from("!H", self.packet, 2)[0]]  # without Ethernet's padding
        self.protocol = self.packet[9]
        self.source, self.destination = (str(ipaddress.ip_address(self.packet[i:i + 4])) for i in (12, 16))
        self.payload = self.packet[header:]

    def _ipv6(self):
        self.packet = self.packet[:40 + struct.unpack_from("!H", self.packet, 4)[0]]
        self.protocol = self.packet[6]
        self.source, self.destination = (str(ipaddress.ip_address(self.packet[i:i + 16])) for i in (8, 24))
        self.payload = self.packet[40:]

    @property
    def is_syn(self):
        return self.protocol == 6 and len(self.payload) >= 20 and self.payload[13] & 0x12 == 0x02


def parse(data):
    return Frame(data)


class Capture:
    """What an interface sees, from `with` on, in a file that tshark reads."""

    def __init__(self, lab, namespace, interface, what):
        self.lab, self.namespace = lab, namespace
        self.file = lab.dir / f"{secrets.token_hex(3)}.pcap"
        self.words = ["dumpcap", "-P", "-q", "-i", interface, "-w", self.file, "-f", what]

    def __enter__(self):
        self.process = self.lab.spawn(self.namespace, f"dumpcap-{self.file.stem}", *self.words)
        wait_until(lambda: "File:" in self.process.output(), 10, "dumpcap to listen")
        return self

    def __exit__(self, *_):
        time.sleep(0.3)  # for what is on its way, and for what must not come
        self.process.stop(signal.SIGINT)

    def frames(self):
        """All complete frames so far."""
        data = self.file.read_bytes() if self.file.exists() else b""
        at, found = 24, []
        while at + 16 <= len(data):
            length = struct.unpack_from("<I", data, at + 8)[0]
            if at + 16 + length > len(data):
                break
            found.append(data[at + 16:at + 16 + length])
            at += 16 + length
        return found

    def as_text(self, what, *fields, options=()):
        """tshark's view: one line a packet, of the fields named."""
        words = [*options, *[word for field in fields for word in ("-e", field)]]
        return run("tshark", "-X", GUE, "-r", self.file, "-Y", what, "-T", "fields", "-E", "header=y", *words).stdout


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination, source, ethertype, payload):
    def binary(mac):
        return bytes.fromhex(mac.replace(":", ""))
    return binary(destination) + binary(source) + struct.pack("!H", ethertype) + payload


def ipv4(source, destination, protocol, payload, *, ttl=64, identification=1, fragment=0, total_length=None,
         header_words=5, options=b"", version=4, header_checksum=None):
    header_words += len(options) // 4
    length = 20 + len(options) + len(payload) if total_length is None else total_length

    def header(value):
        return struct.pack("!BBHHHBBH4s4s", version << 4 | header_words, 0, length, identification, fragment, ttl,
                           protocol, value, socket.inet_aton(source), socket.inet_aton(destination)) + options
    return header(checksum(header(0)) if header_checksum is None else header_checksum) + payload


def ipv6(source, destination, protocol, payload, *, hop_limit=64, payload_length=None, version=6):
    length = len(payload) if payload_length is None else payload_length
    return struct.pack("!IHBB16s16s", version << 28, length, protocol, hop_limit,
                       socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, destination)) + payload


def pseudo_header(source, destination, protocol, length):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    return source.packed + destination.packed + struct.pack("!II", length, protocol)


def tcp(source, destination, source_port, destination_port, *, flags=0x02, sequence=1, words=5, payload=b""):
    def segment(value):
        return struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, 0, words << 4, flags, 65535, value,
                           0) + payload
    raw = segment(0)
    return segment(checksum(pseudo_header(source, destination, 6, len(raw)) + raw))


def udp(source, destination, source_port, destination_port, payload=b"x", *, length=None):
    def datagram(value):
        return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload) if length is None else length,
                           value) + payload
    raw = datagram(0)
    return datagram(checksum(pseudo_header(source, destination, 17, len(raw)) + raw) or 0xFFFF)


def packet(source, destination, protocol, payload, **options):
    """An IPv4 or IPv6 packet, by its addresses, and its EtherType."""
    if ":" in destination:
        return 0x86DD, ipv6(source, destination, protocol, payload, **options)
    return 0x0800, ipv4(source, destination, protocol, payload, **options)


def fragments(source, destination, payload, identification, room=1448):
    """The IP packets, with their EtherType, of one UDP datagram cut by hand, in order; `room`: bytes of it in each."""
    pieces = []
    for at in range(0, len(payload), room):
        piece, more = payload[at:at + room], at + room < len(payload)
        if ":" in destination:
            head = struct.pack("!BBHI", 17, 0, at | more, identification)
            pieces.append(packet(source, destination, 44, head + piece))
        else:
            pieces.append(packet(source, destination, 17, piece, identification=identification,
                                 fragment=at // 8 | (0x2000 if more else 0)))
    return pieces


def raw_socket(namespace, interface):
    """An AF_PACKET socket in a namespace: sends and receives whole frames."""
    with inside(namespace):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        made.bind((interface, 0))
        return made
