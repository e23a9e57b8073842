"""A network for the modes that pass through the load balancer on two sides, all of them at once.

               br-wan: clients' side                            br-lan: servers' side
               10.9.0.0/24, fd00:9::/64                         10.9.1.0/24, fd00:91::/64
     client ---+ .1
 far = router -+ .254                                           +- inner = rs4
     lb     ---+--- wan .10                      lan .10 -------+ .253
     rs1..3 ---+ .11 to .13 (answers of DR, TUN)   .11 to .13 --+

     far    10.9.7.1 behind `router`, rs4 10.9.2.14 behind `inner`: links of MTU 1400, whose ends announce an MSS for
            1500, as a host does that knows nothing of a link on the way

Every mode has a VIP of each family for itself, and all share 10.9.0.100 and fd00:9::100, by ports. A server answers
from a VIP by its leg on br-wan (DR, TUN), and from its own address through the gateway addresses (NAT). FULLNAT's local
addresses are on its network. Tunnels are taken off by XDP.
"""

import re
import socket

import pytest

from lab import VIP4, VIP6, Lab, in_url, inside
from mode_servers import (GATEWAYS, LOCALS, MODES, TUNNELS, TWO_WAY, answer_through_gateways, mode_keys,
                          take_off_tunnels, toml_list)

NODE = {"wan": ("10.9.0.10/24", "fd00:9::10/64"), "lan": ("10.9.1.10/24", "fd00:91::10/64")}
CLIENTS = {"client": ("10.9.0.1", "fd00:9::1"), "far": ("10.9.7.1", "fd00:97::1")}
ROUTER, INNER = ("10.9.0.254", "fd00:9::254"), ("10.9.1.253", "fd00:91::253")
DEEP = ("10.9.2.14", "fd00:92::14")         # rs4
UNREACHABLE = ("10.9.2.66", "fd00:92::66")  # `inner` says so at once
SMALL_MTU = 1400
NO_CHECK = '{ type = "none" }'
BEHIND_ROUTER = ("10.9.7.", "fd00:97::")
BEHIND_INNER = ("10.9.2.", "fd00:92::")


def six(address):
    return ":" in address


def vips(mode):
    """Of this mode alone."""
    return [f"10.9.0.{101 + MODES.index(mode)}", f"fd00:9::{101 + MODES.index(mode)}"]


def vip(mode, family):
    return vips(mode)[family == 6]


def shared_port(mode):
    return 8001 + MODES.index(mode)


def some(*values, everyday):
    """Values of a parameter, of which `everyday` are for everybody to wait for."""
    return [pytest.param(value, marks=[pytest.mark.everyday] if value in everyday else []) for value in values]


def matrix(*everyday, modes=MODES):
    """Tests of each mode with each family of VIPs. `everyday`: those of "nat-4" and so on that everybody waits for;
    "everyday" is all."""
    cells = []
    for mode in modes:
        for family in (4, 6):
            name = f"{mode}-{family}"
            marks = [pytest.mark.everyday] if everyday == ("everyday",) or name in everyday else []
            cells.append(pytest.param(mode, family, id=name, marks=marks))
    return pytest.mark.parametrize(("mode", "family"), cells)


def with_length(address):
    return f"{address}/{64 if six(address) else 24}"


class ModesLab(Lab):
    server_networks = ("10.9.1.", "fd00:91::")
    http_ports = (80, 81, 8080, *(shared_port(mode) for mode in MODES))

    def __init__(self, arms=2, **options):
        """One arm: clients and servers are on one wire, and the load balancer has one port there."""
        self.arms = arms
        self.lb_ports = {"wan": "eth1", "lan": "eth2"} if arms == 2 else {"wan": "eth1"}
        super().__init__(**options)

    # --- network
    @property
    def lan(self):
        return "br-lan" if self.arms == 2 else "br-wan"

    def _build_network(self):
        self._add_switch(*{"br-wan", self.lan})
        for name in ("client", "router", "far", "inner", "rs4", "lb", *self.server_names):
            self._add_namespace(name)
        self.plug("client", "eth0", "br-wan", "v-client", [with_length(each) for each in CLIENTS["client"]])
        for bridge, interface in zip(("br-wan", "br-lan"), self.lb_ports.values()):
            self.plug("lb", interface, bridge, f"v-lb-{interface}")
        self._prepare_lb()
        self._add_routers()
        for number, name in enumerate(self.server_names, 11):
            self._add_server(name, number)

    def _add_server(self, name, number):
        self.plug(name, "eth1", self.lan, f"v-{name}-lan", (f"10.9.1.{number}/24", f"fd00:91::{number}/64"))
        self.plug(name, "eth0", "br-wan", f"v-{name}-wan", (f"10.9.0.{number}/24", f"fd00:9::{number}/64"))
        self._prepare_server(name)
        for mode in ("dr", *TUNNELS):
            self.add_vip_to_server(name, *vips(mode))
        take_off_tunnels(self, name, "eth1")
        # From a VIP by the leg to the clients; from its own address through the load balancer.
        answer_through_gateways(self, name, "eth1")
        for family, router, behind, inner in zip((4, 6), ROUTER, ("10.9.2.0/24", "fd00:92::/64"), INNER):
            self.ip(name, f"-{family}", "route", "add", "default", "via", router)
            self.ip(name, f"-{family}", "route", "add", behind, "via", inner, "dev", "eth1", "table", 100)

    def _add_routers(self):
        self.plug("router", "eth0", "br-wan", "v-router", [with_length(each) for each in ROUTER])
        self.plug("inner", "eth0", self.lan, "v-inner", [with_length(each) for each in INNER])
        self._small_link("router", BEHIND_ROUTER, "far", CLIENTS["far"])
        self._small_link("inner", BEHIND_INNER, "rs4", DEEP)
        for name in ("router", "inner"):
            # As many ICMP errors as there are reasons for.
            self.sysctl(name, net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1, net__ipv4__icmp_ratelimit=0,
                        net__ipv6__icmp__ratelimit=0, net__ipv4__conf__all__rp_filter=0,
                        net__ipv4__conf__all__send_redirects=0, net__ipv4__conf__eth0__send_redirects=0)
        for family, gateway, unreachable, node in zip((4, 6), GATEWAYS, UNREACHABLE, NODE["wan"]):
            self.ip("inner", f"-{family}", "route", "add", "default", "via", gateway)
            self.ip("inner", f"-{family}", "route", "add", "unreachable", unreachable)
            for to in (("10.9.1.0/24", "10.9.2.0/24") if family == 4 else ("fd00:91::/64", "fd00:92::/64")):
                for name in ("router", "client"):
                    self.ip(name, f"-{family}", "route", "add", to, "via", node.split("/")[0])
            to = "10.9.7.0/24" if family == 4 else "fd00:97::/64"
            self.ip("client", f"-{family}", "route", "add", to, "via", ROUTER[family == 6])

    def _small_link(self, router, networks, host, addresses):
        """A cable of MTU 1400 from a router to a host that believes in 1500."""
        self.ip(router, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", self.ns(host))
        ends = ((router, "eth1", [f"{network}254" for network in networks]), (host, "eth0", addresses))
        for name, interface, own in ends:
            self.finish_packets(name, interface)
            self.ip(name, "link", "set", interface, "mtu", SMALL_MTU)
            for address in own:
                self.ip(name, "addr", "add", with_length(address), "dev", interface,
                        *(["nodad"] if six(address) else []))
            self.ip(name, "link", "set", interface, "up")
        for family, network, mss in zip((4, 6), networks, (1460, 1440)):
            self.ip(host, f"-{family}", "route", "add", "default", "via", f"{network}254", "advmss", mss)

    # --- the load balancer
    def mode_service(self, mode, name=None, listen=None, *, more=(), local_addresses=LOCALS, **keys):
        """A [[service]] of web servers of this mode; without `listen` on the mode's own VIPs and on the shared ones."""
        if listen is None:
            listen = [f"tcp/{in_url(each)}:80" for each in vips(mode)]
            listen += [f"tcp/{in_url(each)}:{shared_port(mode)}" for each in (VIP4, VIP6)]
        return self.service_toml(name or mode, listen, mode="tun" if mode in TUNNELS else mode,
                                 extra=mode_keys(mode, *more, local_addresses=local_addresses),
                                 **{"check": NO_CHECK, "server_port": 8080 if mode in TWO_WAY else None, **keys})

    def udp_service(self, mode, **keys):
        port = 5353 if mode in TWO_WAY else None
        return self.mode_service(mode, f"{mode}-udp", [f"udp/{in_url(each)}:53" for each in vips(mode)],
                                 **{"server_port": port, **keys})

    def service_of(self, mode, name, listen_port, addresses, protocol="tcp", server_port=80, **keys):
        """A [[service]] of servers by their addresses; `server_port` is for modes that can change it."""
        listen = [f"{protocol}/{in_url(each)}:{listen_port}" for each in vips(mode)]
        ends = [f"{in_url(each)}:{server_port}" if mode in TWO_WAY else each for each in addresses]
        return self.mode_service(mode, name, listen, servers=[], **keys).replace(
            "server = [\n", "server = [\n" + "".join(f'  {{ address = "{each}" }},\n' for each in ends))

    def write_ballast_toml(self, *services, daemon="", nat=()):
        """`nat`: further lines of [nat]."""
        wan, lan = list(NODE["wan"]), list(NODE["lan"])
        routes = {"wan": [("default", via) for via in ROUTER],
                  "lan": [("10.9.2.0/24", INNER[0]), ("fd00:92::/64", INNER[1])]}
        interfaces = {"wan": (wan, routes["wan"]), "lan": (lan, routes["lan"])}
        if self.arms == 1:
            interfaces = {"wan": (wan + lan, routes["wan"] + routes["lan"])}
        text = f"""
[daemon]
dataplane_socket = "{self.dir}/run/dataplane.sock"
control_socket = "{self.socket}"
{daemon}

[nat]
gateways = {toml_list(GATEWAYS)}
""" + "\n".join(nat) + "\n"
        for name, (addresses, ways) in interfaces.items():
            routes = ", ".join(f'{{ to = "{to}", via = "{via}" }}' for to, via in ways)
            text += f'\n[[interface]]\nname = "{name}"\naddresses = {toml_list(addresses)}\nroutes = [{routes}]\n'
        path = self.dir / "ballast.toml"
        path.write_text(text + "".join(services or self.all_services()))
        return path

    def all_services(self):
        return [text for mode in MODES for text in (self.mode_service(mode), self.udp_service(mode))]

    def start(self):
        self.start_servers()
        self.start_dataplane()
        self.start_ballastd()

    def start_servers(self):
        for name in [*self.server_names, "rs4"]:
            self.start_nginx(name)
        for name in self.server_names:
            self.start_udp_echo(name, 53, [each for mode in ("dr", *TUNNELS) for each in vips(mode)])
            self.start_udp_echo(name, 5353, self.addresses_of(name))

    def addresses_of(self, name):
        """In the servers' network."""
        number = 11 + self.server_names.index(name)
        return [f"{network}{number}" for network in self.server_networks]

    def network_of(self, family):
        return [self.server_networks[family == 6]]

    def hand_overs(self):
        """How many packets workers gave each other, by what for; sums over all workers."""
        counts = {}
        for worker in self.ctl_json("status")["dataplane"]["workers"]:
            for key, value in worker.items():
                if re.match(r"hand(ed)?Over", key):
                    counts[key] = counts.get(key, 0) + int(value)
        return counts

    def connections_of(self, service):
        """Of all its servers: active, inactive, opened."""
        rows = self.ctl_json("service", "show", service)["services"][0]["servers"]
        return tuple(sum(int(value) for value in column) for column in zip(*(
            (row["activeConnections"], row["inactiveConnections"], row["counters"]["connections"]) for row in rows)))

    @property
    def lan_port(self):
        return list(self.lb_ports)[-1]

    def port_mac_of(self, name):
        ports = self.ctl_json("status")["dataplane"]["ports"]
        return next(port["info"]["mac"] for port in ports if port["info"]["name"] == name)

    # --- questions
    def socket_of(self, name, address, kind):
        """A socket in a namespace, of the family of `address`."""
        with inside(self.ns(name)):
            made = socket.socket(socket.AF_INET6 if six(address) else socket.AF_INET, kind)
        made.settimeout(5)
        return made

    def path_mtu(self, name, to, *words):
        """What the kernel of a host believes; None when it has heard nothing."""
        match = re.search(r"\bmtu (\d+)", self.ip(name, "route", "get", to, *words).stdout)
        return int(match[1]) if match else None

    def forget_path_mtu(self):
        for name in ("client", "far", "rs4", *self.server_names):
            for family in (4, 6):
                self.ip(name, f"-{family}", "route", "flush", "cache", check=False)
