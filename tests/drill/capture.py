"""What the nodes say, as the ports of the switch hear it: ARP, neighbour discovery and VRRP adverts, with their time.

Only frames that come in by a port are taken, so the port says who sent them: the virtual MAC is the same on both nodes.
"""

import collections
import time

from lab import ROOT, run
from wire import Capture

WHAT = "inbound and (arp or icmp6 or proto 112 or ip6 proto 112)"
FIELDS = ("frame.time_epoch", "frame.interface_name", "eth.src", "arp.src.proto_ipv4", "arp.opcode", "ipv6.src",
          "icmpv6.type", "icmpv6.nd.na.target_address", "ip.ttl", "ipv6.hlim", "vrrp.prio", "vrrp.virt_rtr_id",
          "vrrp.checksum.status", "vrrp.version", "_ws.malformed")
ASK_SECONDS = 0.005  # between two questions to a node for one VIP

Heard = collections.namedtuple("Heard", [field.replace(".", "_").lstrip("_") for field in FIELDS])
Claim = collections.namedtuple("Claim", "time node address")       # it answered, or announced
Advert = collections.namedtuple("Advert", "time node family priority")


class PortsCapture(Capture):
    """Several ports of the switch at once, in one file."""

    def __init__(self, lab, ports):
        super().__init__(lab, "sw", ports[0], WHAT)
        self.words = ["dumpcap", "-q", "-w", self.file, "-f", WHAT]
        for port in ports:
            self.words += ["-i", port]


class Watch:
    """`with Watch(pair, nodes, vips) as watch: ...; watch.claims(addresses)`. Times are those of time.monotonic().

    The nodes are asked for `vips` on the clients' side, for `lan_addresses` on the servers'.
    """

    def __init__(self, pair, nodes, vips, lan_addresses=()):
        self.pair, self.nodes = pair, nodes
        self.asked = {"wan": vips, "lan": lan_addresses}
        self.capture = PortsCapture(pair, [f"{node}-{side}" for node in nodes for side in self.asked])
        self.rows, self.askers = None, []

    def __enter__(self):
        self.to_monotonic = time.monotonic() - time.time()
        self.capture.__enter__()
        for side, addresses in self.asked.items():
            if addresses:
                self.askers.append(self.pair.spawn(
                    "sw", f"ask-{side}-{self.capture.file.stem}", "env", f"PYTHONPATH={ROOT}/tests", "/usr/bin/python3",
                    "-B", "-m", "drill.ask", ASK_SECONDS, *[f"{node}-{side}" for node in self.nodes], *addresses))
        return self

    def __exit__(self, *_):
        self.dead_askers = [asker for asker in self.askers if not asker.running()]
        for asker in self.askers:
            asker.stop()
        self.capture.__exit__()

    def heard(self):
        if self.rows is None:
            for asker in self.dead_askers:
                raise RuntimeError(f"{asker.name} ended: {asker.output()}")
            words = [word for field in FIELDS for word in ("-e", field)]
            lines = run("tshark", "-n", "-r", self.capture.file, "-T", "fields", "-E", "occurrence=f", *words,
                        timeout=300).stdout.splitlines()
            self.rows = [Heard(*line.split("\t")) for line in lines]
        return self.rows

    def _who_and_when(self, row):
        return float(row.frame_time_epoch) + self.to_monotonic, row.frame_interface_name.split("-")[0]

    def claims(self, addresses):
        """Answers to questions for the addresses, and announcements of them; whatever binds one to a MAC."""
        for row in self.heard():
            claimed = row.arp_src_proto_ipv4 or row.icmpv6_nd_na_target_address
            if row.icmpv6_type == "135":  # with its source's MAC
                claimed = row.ipv6_src
            if claimed in addresses:
                yield Claim(*self._who_and_when(row), claimed)

    def adverts(self, router_id):
        for row in self.heard():
            if row.vrrp_virt_rtr_id == str(router_id):
                yield Advert(*self._who_and_when(row), 6 if row.ipv6_src else 4, int(row.vrrp_prio or -1))

    def bad_adverts(self, router_id, virtual_mac=True):
        """Why tshark, or the RFC, finds fault with an advert."""
        for row in self.heard():
            if not row.vrrp_version and not row.vrrp_virt_rtr_id:
                continue
            mac = f"00:00:5e:00:0{2 if row.ipv6_src else 1}:{router_id:02x}"
            for bad, what in ((row.ws_malformed, "malformed"), (row.vrrp_checksum_status != "1", "checksum"),
                              ((row.ip_ttl or row.ipv6_hlim) != "255", "ttl"),
                              (virtual_mac and row.eth_src != mac, f"source {row.eth_src}")):
                if bad:
                    yield f"{what} of an advert by {self._who_and_when(row)[1]}"
