"""Where the balancer is measured: one port, as in the usual one-armed direct routing, and testpmd at its other end.

    vhost    testpmd (virtio_user) ---- shared memory ---- ballast-dataplane (net_vhost)
    af_xdp   testpmd (net_af_xdp on one end of a veth) ---- ballast-dataplane (net_af_xdp on the other end)

testpmd sends datagrams to the VIPs and gets each back, as their real servers: one MAC for all of them. In the place
of the balancer, testpmd in macswap gives the floor: the same devices, the same generator, nothing in between.
"""

import ipaddress

from lab import Lab
from testpmd import FIRST_ADDRESS, FLOWGEN_MAC, UDP_PORT, Testpmd

DATAPLANE_MB = 384
TABLE_MB = 64
SERVERS = 16
GENERATOR_MAC = "02:00:00:00:00:02"


class BenchLab(Lab):
    def __init__(self, kind, flows, generator_core, balancer_core):
        super().__init__(port=kind, servers=0)
        self.flows, self.generator_core, self.balancer_core = flows, generator_core, balancer_core

    # --- network
    def _build_network(self):
        self._add_namespace("lb")
        self.sysctl("lb", net__ipv6__conf__default__disable_ipv6=1)  # no frames but those that are counted
        if self.port_kind == "af_xdp":
            self._add_namespace("gen")
            self.sysctl("gen", net__ipv6__conf__default__disable_ipv6=1)
            self.ip("lb", "link", "add", "eth1", "type", "veth", "peer", "name", "gen0", "netns", self.ns("gen"))
            for name, interface in (("lb", "eth1"), ("gen", "gen0")):
                self.exec(name, "ethtool", "-K", interface, "tx", "off", check=False)
                self.ip(name, "link", "set", interface, "up")

    @property
    def vhost_socket(self):
        return self.dir / "vhost.sock"

    @property
    def device(self):
        return f"vhost:{self.vhost_socket}" if self.port_kind == "vhost" else "af_xdp:eth1"

    # --- the generator, and what stands in for the balancer
    def start_generator(self):
        if self.port_kind == "vhost":
            namespace = "lb"
            vdev = f"net_virtio_user0,path={self.vhost_socket},mac={GENERATOR_MAC},queue_size=1024"
        else:
            namespace, vdev = "gen", "net_af_xdp0,iface=gen0"
        return Testpmd(self, "generator", namespace, self.generator_core, vdev, "flowgen",
                       ("--no-flush-rx", f"--flowgen-flows={self.flows}"))

    def start_floor(self):
        vdev = (f"net_vhost0,iface={self.vhost_socket},queues=1,tso=0" if self.port_kind == "vhost"
                else "net_af_xdp0,iface=eth1")
        floor = Testpmd(self, "floor", "lb", self.balancer_core, vdev, "macswap")
        floor.say("start")
        return floor

    # --- the balancer
    def start_balancer(self):
        """Both daemons; known to them: as many VIPs as there are flows. The servers are still to be found."""
        (self.dir / "dataplane.toml").write_text(f"""
[dataplane]
cores = "{self.balancer_core}"
idle = "poll"
hugepages = true
memory_mb = {DATAPLANE_MB}
runtime_dir = "{self.dir}/run"
[connections]
trusted = 200000
untrusted = 100000
[[port]]
name = "wan"
device = "{self.device}"
mac = "{FLOWGEN_MAC}"
""")
        first = int(ipaddress.IPv4Address(FIRST_ADDRESS))
        listeners = ", ".join(f'"udp/{ipaddress.IPv4Address(first + i)}:{UDP_PORT}"' for i in range(self.flows))
        servers = ", ".join(f'{{ address = "{address}" }}' for address in self.servers())
        (self.dir / "ballast.toml").write_text(f"""
[daemon]
dataplane_socket = "{self.dir}/run/dataplane.sock"
control_socket = "{self.socket}"
[[interface]]
name = "wan"
addresses = ["10.9.0.10/24"]
[[service]]
name = "udp"
listen = [{listeners}]
mode = "dr"
scheduler = "rr"
server = [{servers}]
""")
        self.start_dataplane()
        self.start_ballastd()

    @staticmethod
    def servers():
        return [f"10.9.0.{101 + i}" for i in range(SERVERS)]

    def introduce_servers(self, mac):
        """All of them live at the generator's MAC."""
        for address in self.servers():
            self.ip("lb", "neigh", "replace", address, "lladdr", mac, "dev", "wan", "nud", "permanent")

    def stop_balancer(self):
        for name in ("ballastd", "ballast-dataplane"):
            code = self.processes[name].stop()
            if code != 0:
                raise RuntimeError(f"{name} ended with {code}: {self.processes[name].output()[-1500:]}")

    def knows_the_way(self):
        """The port is up, so that ballastd has told the dataplane of the route to the servers and of their MACs."""
        status = self.ctl_json("status")["dataplane"]
        return status["ports"][0]["info"]["up"]

    def packets(self):
        """Received by the dataplane, and dropped by it."""
        port = self.ctl_json("status")["dataplane"]["ports"][0]
        return int(port["statistics"]["rxPackets"]), sum(self.drops().values())
