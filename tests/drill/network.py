"""Two load balancers with two ports each, between a client and three real servers.

              br-wan: clients' side                            br-lan: servers' side
              10.9.0.0/24, fd00:9::/64                         10.9.1.0/24, fd00:91::/64
    client ---+  .1
    lb1    ---+--- wan .21 [priority 150] lan .21 -------------+
    lb2    ---+--- wan .22 [priority 100] lan .22 -------------+
    rs1..3 ---+  .11 to .13 (answers)       (requests) .11 to .13 --+

A load balancer reaches the servers on br-lan. In DR and TUN they answer the client by their second leg; in NAT through
10.9.1.254 and fd00:91::254, in FULLNAT to 10.9.1.201, .202 and fd00:91::201, ::202, which move with the VIPs. The
bridges are the switches: they learn, and nothing else. A cable is cut at the switch's end. The VIPs are 10.9.0.100 and
fd00:9::100, and the virtual router's link-local address.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal

from lab import BIN, VIP4, VIP6, Lab, run, wait_until
from mode_servers import (GATEWAYS, LOCALS, TWO_WAY, answer_through_gateways, mode_keys, take_off_tunnels, toml_list)

INSTANCE, ROUTER_ID = "front", 51
LINK_LOCAL = f"fe80::200:5eff:fe00:2{ROUTER_ID:02x}"
SIDES = ("wan", "lan")
ASKER_MAC = "02:00:00:00:00:77"  # see ask.py
DATAPLANE, CONTROL = "ballast-dataplane", "ballastd"
PROGRAMS = (DATAPLANE, CONTROL)
FILE_BYTES = 16 << 20  # of the long downloads
ASK_SECONDS = 0.15  # between two runs of ballastctl, which take from the machine what is to be measured


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the nodes are configured with; both alike, but for the priority."""
    port: str = "af_xdp"
    interval_ms: int = 100
    scheduler: str = "mh"
    mode: str = "dr"
    families: tuple = (4, 6)
    preempt: bool = False

    @property
    def vips(self):
        return [vip for family, vip in ((4, VIP4), (6, VIP6)) if family in self.families]

    @property
    def lan_addresses(self):
        """What moves on the servers' side."""
        addresses = {"nat": GATEWAYS, "fullnat": LOCALS}.get(self.mode, ())
        return [address for address in addresses if (6 if ":" in address else 4) in self.families]

    @property
    def addresses(self):
        """All that move together, in the order that VRRP wants."""
        both = sorted(self.vips + self.lan_addresses, key=lambda address: ":" in address)
        first_six = next((number for number, address in enumerate(both) if ":" in address), None)
        return both if first_six is None else [*both[:first_six], LINK_LOCAL, *both[first_six:]]


class Node:
    """A load balancer: both daemons, their files, and `ballastctl`."""

    def __init__(self, lab, name, host, priority):
        self.lab, self.name, self.host, self.priority = lab, name, host, priority
        self.dir = lab.dir / name
        self.dir.mkdir()
        self.settings = None

    # --- configuration
    def configure(self, settings, services=None):
        self.settings = settings
        ports = "".join(f'\n[[port]]\nname = "{side}"\ndevice = "{settings.port}:{self.device(side)}"\n'
                        for side in SIDES)
        (self.dir / "dataplane.toml").write_text(f"""
[dataplane]
workers = 1
idle = "sleep"
hugepages = false
runtime_dir = "{self.dir}/run"

[connections]
trusted = 100000
untrusted = 20000
{ports}""")
        (self.dir / "ballast.toml").write_text(self.ballast_toml(services or [self.lab.web(settings)]))

    def ballast_toml(self, services):
        text = f"""
[daemon]
dataplane_socket = "{self.dir}/run/dataplane.sock"
control_socket = "{self.dir}/run/ballastd.sock"

[[interface]]
name = "wan"
addresses = ["10.9.0.{self.host}/24", "fd00:9::{self.host}/64"]

[[interface]]
name = "lan"
addresses = ["10.9.1.{self.host}/24", "fd00:91::{self.host}/64"]
"""
        if self.settings.mode == "nat":
            text += f"\n[nat]\ngateways = {toml_list(self.settings.lan_addresses)}\n"
        return text + "".join(services) + self.vrrp_toml()

    def vrrp_toml(self):
        return f"""
[[vrrp]]
name = "{INSTANCE}"
interface = "wan"
virtual_router_id = {ROUTER_ID}
priority = {self.priority}
advert_interval = "{self.settings.interval_ms}ms"
addresses = {toml_list(self.settings.addresses)}
preempt = {str(self.settings.preempt).lower()}
track = [{{ port = "wan" }}, {{ port = "lan" }}, {{ service = "web" }}]
"""

    def device(self, side):
        return f"eth{1 + SIDES.index(side)}"

    def switch_port(self, side):
        return f"{self.name}-{side}"

    # --- life
    def process(self, program):
        return self.lab.processes.get(f"{program}-{self.name}")

    def running(self, program):
        process = self.process(program)
        return process is not None and process.running()

    def launch(self, programs=PROGRAMS):
        """Starts what does not run yet, and does not wait."""
        for program in programs:
            if not self.running(program):
                file = "dataplane.toml" if program == DATAPLANE else "ballast.toml"
                self.lab.spawn(self.name, f"{program}-{self.name}", BIN / program, "-c", self.dir / file)

    def start(self, programs=PROGRAMS):
        self.launch(programs)
        for program in programs:
            wait_until(lambda: self._is_ready(program), 20, f"{program} of {self.name}", ASK_SECONDS)  # noqa: B023

    def _is_ready(self, program):
        process = self.process(program)
        if not process.running():
            raise RuntimeError(f"{process.name} ended: {process.output()[-2000:]}")
        if program == DATAPLANE:
            return f"{DATAPLANE}[{process.pid}] forwarding:" in process.output()
        return self.ctl("status", check=False).returncode == 0

    def stop(self, programs=PROGRAMS[::-1]):
        """The polite way."""
        for program in programs:
            if self.running(program):
                code = self.process(program).stop(signal.SIGTERM, 20)
                if code != 0:
                    raise RuntimeError(f"{program} of {self.name}: exit {code} after SIGTERM")

    def kill(self, programs):
        """All at once, as near as may be."""
        for program in programs:
            self.process(program).ended_by_us = True
            os.kill(self.process(program).pid, signal.SIGKILL)
        for program in programs:
            self.process(program).popen.wait()

    def signal(self, programs, number):
        for program in programs:
            os.kill(self.process(program).pid, number)

    def forget_everything(self):
        """What a reboot leaves: files on disk, and nothing in the kernel or in /run."""
        for side in SIDES:
            self.lab.ip(self.name, "link", "del", side, check=False)
            self.lab.ip(self.name, "link", "set", "dev", self.device(side), "xdp", "off", check=False)
        self.lab.exec(self.name, "nft", "flush", "ruleset")
        shutil.rmtree(self.dir / "run", ignore_errors=True)

    # --- questions
    def ctl(self, *words, check=True):
        return run(BIN / "ballastctl", "--socket", self.dir / "run" / "ballastd.sock", *words, check=check)

    def ctl_json(self, *words):
        """The answer, also with an exit code that says that something is wrong; {} without one."""
        done = self.ctl(*words, "--json", check=False)
        answer = json.loads(done.stdout) if done.stdout.strip() else {}
        return {} if "error" in answer else answer

    def instance(self):
        """As `ballastctl vrrp show` knows it; {} while ballastd does not answer."""
        return next(iter(self.ctl_json("vrrp", "show", INSTANCE).get("instances", [])), {})

    def state(self):
        return self.instance().get("state", "")

    def wait_for_state(self, state, seconds=15.0):
        try:
            wait_until(lambda: self.state() == state, seconds, f"{self.name} to be {state}", ASK_SECONDS)
        except TimeoutError as problem:
            raise TimeoutError(f"{problem}: {self.ctl('vrrp', 'show', INSTANCE, check=False).stdout}") from None

    def healthy_servers(self):
        rows = self.ctl_json("checks").get("checks", [])
        return sum(1 for row in rows if row.get("service") == "web" and row.get("health") == "UP")

    def wait_healthy(self, seconds=15.0):
        wanted = len(self.lab.server_names) * len(self.settings.families)
        wait_until(lambda: self.healthy_servers() == wanted, seconds, f"{wanted} healthy servers at {self.name}",
                   ASK_SECONDS)


class Pair(Lab):
    server_networks = ("10.9.1.", "fd00:91::")

    def _build_network(self):
        self._add_switch("br-wan", "br-lan")
        self._add_namespace("client")
        self.plug("client", "eth0", "br-wan", "client", ("10.9.0.1/24", "fd00:9::1/64"))
        for number, name in enumerate(self.server_names, 11):
            self._add_namespace(name)
            self._prepare_server(name)
            self.plug(name, "eth1", "br-lan", f"{name}-lan", (f"10.9.1.{number}/24", f"fd00:91::{number}/64"))
            self.plug(name, "eth0", "br-wan", f"{name}-wan", (f"10.9.0.{number}/24", f"fd00:9::{number}/64"))
            # Requests come by one leg; what is said from a VIP leaves by the other, from the server's own address not.
            take_off_tunnels(self, name, "eth1")
            answer_through_gateways(self, name, "eth1")
        self.lb1, self.lb2 = Node(self, "lb1", 21, 150), Node(self, "lb2", 22, 100)
        self.nodes = (self.lb1, self.lb2)
        for node in self.nodes:
            self.add_node(node.name, [node.device(side) for side in SIDES])
            for device in map(node.device, SIDES):
                self.sysctl(node.name, **{f"net__ipv6__conf__{device}__disable_ipv6": 1})
        self.load_switch_rules()

    def add_node(self, name, interfaces, addresses=((), ())):
        self._add_namespace(name)
        for side, interface, own in zip(SIDES, interfaces, addresses):
            self.plug(name, interface, f"br-{side}", f"{name}-{side}", own)

    def load_switch_rules(self, more=()):
        """Answers to ask.py end at the port that they come in by, where captures have seen them: the switch learns
        nothing from them, and the client neither. `between` is for what is lost between two nodes."""
        ports = [f"{name}-{side}" for name in ("lb1", "lb2", *more) for side in SIDES]
        asked = "\n".join(f'chain {port.replace("-", "_")} {{ type filter hook ingress device "{port}" priority 0;\n'
                          f"ether daddr {ASKER_MAC} drop;\n}}" for port in ports)
        self.nft(f"table netdev drill\ndelete table netdev drill\ntable netdev drill {{\n{asked}\n}}\n"
                 "table bridge drill {\nchain between { type filter hook forward priority 0;\n}\n}\n")

    def nft(self, text):
        (self.dir / "switch.nft").write_text(text)
        self.exec("sw", "nft", "-f", self.dir / "switch.nft")

    def lose_between_nodes(self, condition=""):
        """Frames from one node to the other are lost, all or those that `condition` names."""
        rules = "".join(f'add rule bridge drill between iifname "{here}-*" oifname "{there}-*" {condition} drop\n'
                        for here, there in (("lb1", "lb2"), ("lb2", "lb1")))
        self.nft(rules)

    def heal_between_nodes(self):
        self.nft("flush chain bridge drill between\n")

    def cut(self, name, side):
        self.ip("sw", "link", "set", f"{name}-{side}", "down")

    def mend(self, name, side):
        self.ip("sw", "link", "set", f"{name}-{side}", "up")

    # --- the service
    def web(self, settings, weights=None):
        listen = [f"tcp/{{v{family}}}:80" for family in settings.families]
        networks = [self.server_networks[(4, 6).index(family)] for family in settings.families]
        locals_ = settings.lan_addresses if settings.mode == "fullnat" else ()
        return self.service_toml(listen=listen, networks=networks, scheduler=settings.scheduler, weights=weights,
                                 mode=settings.mode, server_port=80 if settings.mode in TWO_WAY else None,
                                 extra=mode_keys(settings.mode, local_addresses=locals_))

    def start_servers(self):
        (self.dir / "big").write_bytes(bytes_of_downloads())
        super().start_servers()

    def start_nodes(self, settings):
        """A fresh steady state: both nodes started anew, lb1 active, every server healthy at both."""
        self.stop_nodes()
        self.heal_between_nodes()
        for node in self.nodes:
            node.forget_everything()
            node.configure(settings)
            for side in SIDES:
                self.mend(node.name, side)
        self.lb1.start()
        self.lb1.wait_for_state("ACTIVE")
        self.lb2.start()
        self.lb2.wait_for_state("BACKUP")
        for node in self.nodes:
            node.wait_healthy()

    def stop_nodes(self):
        for node in reversed(self.nodes):
            for program in PROGRAMS:
                if node.running(program):
                    node.signal([program], signal.SIGCONT)
            node.stop()

    def keep_logs(self, folder, name):
        shutil.copytree(self.dir, pathlib.Path(folder) / name, dirs_exist_ok=True, symlinks=True,
                        ignore=shutil.ignore_patterns("run", "big", "nginx-*", "body", "p", "f", "u", "s"))

    def connects(self, vip, patience=0.1):
        """Whether a server answers right now, without a SYN being sent again."""
        with contextlib.suppress(OSError), self.client_socket(vip, 1) as client:
            client.settimeout(patience)
            client.connect((vip, 80))
            return True
        return False

    def wait_for_service(self, vips, seconds=30.0):
        wait_until(lambda: all(self.connects(vip) for vip in vips), seconds, "the VIPs to serve")


def bytes_of_downloads():
    """The same on both ends of a download, and nowhere the same within it."""
    return b"".join(number.to_bytes(8, "big") for number in range(FILE_BYTES // 8))
