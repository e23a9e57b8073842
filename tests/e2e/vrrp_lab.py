"""What the tests of VRRP share: [[vrrp]] tables, what ballastd says of its instances, adverts on the wire."""

import collections
import json
import socket
import struct

from lab import VIP4, VIP6, wait_until
from wire import checksum, ethernet, ipv4, ipv6, pseudo_header

INSTANCE, ROUTER = "front", 51
MAC4, MAC6 = f"00:00:5e:00:01:{ROUTER:02x}", f"00:00:5e:00:02:{ROUTER:02x}"
LINK_LOCAL = f"fe80::200:5eff:fe00:2{ROUTER:02x}"
NO_CHECK = '{ type = "none" }'
GROUP4, GROUP6 = "224.0.0.18", "ff02::12"
GROUP_MACS = {GROUP4: "01:00:5e:00:00:12", GROUP6: "33:33:00:00:00:12"}

ADVERT = ("frame.time_epoch", "eth.src", "ip.src", "ipv6.src", "ip.ttl", "ipv6.hlim", "vrrp.virt_rtr_id", "vrrp.prio",
          "vrrp.short_adver_int", "vrrp.adver_int", "vrrp.checksum.status", "_ws.malformed")
Advert = collections.namedtuple("Advert", [field.strip("_").replace(".", "_") for field in ADVERT])


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def vrrp_toml(name=INSTANCE, router=ROUTER, vips=(VIP4, VIP6), **keys):
    """A [[vrrp]]; `vips` without the link-local address, which an IPv6 one brings."""
    addresses = [vip for vip in vips if ":" not in vip]
    if len(addresses) < len(vips):
        addresses += [f"fe80::200:5eff:fe00:2{router:02x}", *(vip for vip in vips if ":" in vip)]
    keys = {"name": name, "interface": "wan", "virtual_router_id": router, "priority": 150, "addresses": addresses,
            **keys}
    return "\n[[vrrp]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())


def instance(node, name=INSTANCE):
    """As `vrrp show` knows it. `node`: whoever has ctl()."""
    return json.loads(node.ctl("vrrp", "show", name, "--json").stdout)["instances"][0]


def router_of(node, family=4, name=INSTANCE):
    return next(router for router in instance(node, name)["routers"] if router["family"] == family)


def wait_for_state(node, state, seconds=15.0, name=INSTANCE):
    try:
        return wait_until(lambda: (found := instance(node, name)).get("state") == state and found, seconds, state)
    except TimeoutError as problem:
        raise TimeoutError(f"{problem}: {node.ctl('vrrp', 'show', name, check=False).stdout}") from None


def adverts(capture, source_mac=None):
    """Every advert that a capture has, or those from one MAC."""
    lines = capture.as_text("vrrp", *ADVERT).splitlines()[1:]
    found = [Advert(*line.split("\t")) for line in lines]
    return [advert for advert in found if source_mac in (None, advert.eth_src)]


def largest_gap(found):
    """Between neighbours of one family, in seconds."""
    largest = 0.0
    for family in ("ip_src", "ipv6_src"):
        times = [float(advert.frame_time_epoch) for advert in found if getattr(advert, family)]
        largest = max([largest, *(after - before for before, after in zip(times, times[1:]))])
    return largest


def advert(source, destination=GROUP4, *, router=ROUTER, version=3, kind=1, priority=200, addresses=None, count=None,
           centiseconds=10, authentication=0, tail=b"", wrong_checksum=False, message_only=False):
    """The bytes of an advert, right or wrong. `centiseconds`: in version 2 they are seconds."""
    six = ":" in destination
    if addresses is None:
        addresses = [LINK_LOCAL, VIP6] if six else [VIP4]
    listed = b"".join(socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, each) for each in addresses)
    listed += tail + (bytes(8) if version == 2 else b"")
    head = struct.pack("!BBBB", version << 4 | kind, router, priority, len(addresses) if count is None else count)
    timing = struct.pack("!BB", authentication, centiseconds) if version == 2 else struct.pack("!H", centiseconds)
    body = head + timing + bytes(2) + listed
    start = b"" if version == 2 or message_only else pseudo_header(source, destination, 112, len(body))
    value = checksum(start + body) ^ (0x5555 if wrong_checksum else 0)
    return body[:6] + struct.pack("!H", value) + body[8:]


def advert_frame(source, message, destination=GROUP4, *, ttl=255, source_mac="02:00:00:00:00:99", destination_mac=None):
    """An advert in IP and Ethernet."""
    destination_mac = destination_mac or GROUP_MACS[destination]
    if ":" in destination:
        return ethernet(destination_mac, source_mac, 0x86DD, ipv6(source, destination, 112, message, hop_limit=ttl))
    return ethernet(destination_mac, source_mac, 0x0800, ipv4(source, destination, 112, message, ttl=ttl))
