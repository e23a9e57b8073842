"""What the modes ask of real servers: routes, tunnels' ends, and what services of each mode say."""

import glob

from lab import ROOT, run

TUNNELS = ("ipip", "gre", "gue")
MODES = ("nat", "fullnat", *TUNNELS, "dr")  # as tests name them: a tunnel is mode "tun" with that encapsulation
TWO_WAY = ("nat", "fullnat")                # replies pass the load balancer, too
SERVERS = ("10.9.1.0/24", "fd00:91::/64")   # their network
GATEWAYS = ("10.9.1.254", "fd00:91::254")
LOCALS = ("10.9.1.201", "10.9.1.202", "fd00:91::201", "fd00:91::202")


def toml_list(values):
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def mode_keys(mode, *more, local_addresses=LOCALS):
    """Further lines of a [[service]] of this mode."""
    lines = list(more)
    if mode == "fullnat":
        lines.append(f"local_addresses = {toml_list(local_addresses)}")
    if mode in TUNNELS:
        lines.append(f'encapsulation = "{mode}"')
    return "\n".join(lines)


def answer_through_gateways(lab, name, interface):
    """What a server says from its own address leaves through the gateways, whatever other ways it has."""
    for family, network, gateway in zip((4, 6), SERVERS, GATEWAYS):
        lab.ip(name, f"-{family}", "rule", "add", "from", network, "lookup", 100)
        lab.ip(name, f"-{family}", "route", "add", network, "dev", interface, "table", 100)
        lab.ip(name, f"-{family}", "route", "add", "default", "via", gateway, "dev", interface, "table", 100)


def take_off_tunnels(lab, name, interface):
    """Decapsulation by XDP, as there are no tunnel devices here."""
    program = lab.dir / "decapsulate.o"
    if not program.exists():
        headers = [f"-I{folder}" for folder in glob.glob("/usr/include/*-linux-gnu")]
        run("clang-14", "-O2", "-Wall", "-Werror", "-target", "bpf", *headers, "-c",
            ROOT / "tests" / "e2e" / "decapsulate.bpf.c", "-o", program)
    lab.ip(name, "link", "set", "dev", interface, "xdp", "obj", program, "sec", "xdp")
    lab.sysctl(name, **{f"net__ipv4__conf__{which}__rp_filter": 0 for which in ("all", interface)})
