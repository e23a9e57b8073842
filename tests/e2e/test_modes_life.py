"""The life of connections where the load balancer translates: ports that collide or come again, servers that go, modes
that change, and what belongs to no connection."""

import collections
import contextlib
import ipaddress
import socket
import threading
import time

import pytest

from conftest import new_lab
from lab import figure, in_url, inside, wait_until
from mode_servers import toml_list
from modes_lab import CLIENTS, LOCALS, MODES, TUNNELS, TWO_WAY, ModesLab, six, some, vip, vips
from test_modes import ask
from web import answers, big_file
from wire import Capture, ethernet, ipv4, parse, raw_socket, udp

OTHER = ("10.9.0.120", "fd00:9::120")  # a VIP beside those of the modes


@pytest.fixture
def lab(request):
    """For tests with a dataplane.toml of their own."""
    yield from new_lab(request, ModesLab)


@pytest.fixture(scope="module")
def running(request):
    """One load balancer for the others; each begins with a reload."""
    for made in new_lab(request, ModesLab):
        made.start()
        yield made


def start(lab, *services, **options):
    lab.write_ballast_toml(*services, **options)
    lab.start()


def in_sync(lab):
    """What ballastctl has answered may be on its way to the dataplane still."""
    wait_until(lambda: lab.ctl_json("status")["dataplane"].get("inSync"), 5, "the dataplane to know")


def reload(lab, *services, **options):
    lab.write_ballast_toml(*services, **options)
    lab.ctl("reload")
    in_sync(lab)


def connect_from(lab, port, to, to_port=80, client="client", seconds=1.5):
    """A connection from a port of the client; a SYN is not sent again in that time more than once."""
    made = lab.socket_of(client, to, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((CLIENTS[client][six(to)], port))
    made.settimeout(seconds)
    made.connect((to, to_port))
    return made


def who_serves(connection):
    connection.sendall(b"GET /name HTTP/1.1\r\nHost: ballast\r\n\r\n")
    return connection.recv(4096).split(b"\r\n\r\n")[1].decode().strip()


# ---- NAT

@pytest.mark.everyday
@pytest.mark.parametrize("family", [4, 6])
def test_a_client_port_through_two_vips_reaches_two_servers_or_one_is_refused(running, family):
    to = [vip("nat", family), OTHER[family == 6]]

    def services(servers):
        return [running.mode_service("nat", name, [f"tcp/{in_url(each)}:80"], servers=servers,
                                     networks=running.network_of(family))
                for name, each in zip(("one", "two"), to)]

    reload(running, *services(["rs1", "rs2"]))
    seen = collections.Counter()
    for port in range(40001, 40009):
        with connect_from(running, port, to[0]) as one, connect_from(running, port, to[1]) as two:
            names = [who_serves(one), who_serves(two)]
            assert names[0] != names[1]
            seen.update(names)
    assert set(seen) == {"rs1", "rs2"}
    reload(running, *services(["rs1"]))
    before = running.drops().get("nat_collision", 0)
    with connect_from(running, 41000, to[0]) as one:
        assert who_serves(one) == "rs1"
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            connect_from(running, 41000, to[1])
        assert who_serves(one) == "rs1"  # it was not harmed
    dropped = running.drops().get("nat_collision", 0) - before
    figure(test="nat_collision", family=family, avoided=8, dropped=dropped)
    assert dropped >= 1


def routed(lab, name, to):
    """Whether a ping gets through, of a host that routes through the load balancer."""
    own = lab.addresses_of(name)[six(to)]
    out = lab.exec(name, "ping", "-n", "-c", 3, "-i", "0.1", "-W", "1", "-I", own, to, check=False).stdout
    return " 0% packet loss" in out


@pytest.mark.everyday
def test_what_is_of_no_connection_is_routed_only_where_configured(running):
    far = CLIENTS["far"]
    reload(running, running.mode_service("nat"))
    # The node forwards for networks that are named; the kernel does it, if it is told to.
    running.sysctl("lb", net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    before = running.drops()
    assert [routed(running, "rs1", to) for to in far] == [False, False]
    for to, own in zip(far, running.addresses_of("rs1")):
        with running.socket_of("rs1", to, socket.SOCK_DGRAM) as server:
            server.bind((own, 0))
            server.sendto(b"of no connection", (to, 9))
    time.sleep(0.2)
    after = running.drops()
    lost = {reason: after[reason] - before.get(reason, 0) for reason in after if after[reason] != before.get(reason, 0)}
    figure(test="routed_networks", configured="no", **lost)
    assert lost.get("reply_unmatched", 0) >= 2 and sum(lost.values()) >= 8
    networks = ", ".join(f'"{network}{length}"' for network, length in (("10.9.1.0", "/24"), ("fd00:91::", "/64")))
    reload(running, running.mode_service("nat"), nat=[f"routed_networks = [{networks}]"])
    assert [routed(running, "rs1", to) for to in far] == [True, True]
    assert answers(running, vip("nat", 4), 6).total() == 6
    # A transfer of its own, in the server's name: through the load balancer's kernel, both ways.
    running.start_nginx("far")
    for to, own in zip(far, running.addresses_of("rs1")):
        got = running.exec("rs1", "curl", "-sS", "--max-time", 5, "--interface", own, f"http://{in_url(to)}/who").stdout
        assert got.split()[0] == own
    figure(test="routed_networks", configured="yes", pings=6, lost=0)
    reload(running, running.mode_service("nat"))
    assert [routed(running, "rs1", to) for to in far] == [False, False]


# ---- FULLNAT

def churn(lab, to, seconds, *, rate, path, clients=4):
    """Short requests from several addresses of the client, `rate` a second in sum: (requests, failures). The server
    ends each connection: by FIN, and then it is the one to wait; by a reset when `path` is /reset."""
    failures, done, began = [], [0] * clients, time.monotonic()
    request = f"GET {path} HTTP/1.1\r\nHost: ballast\r\nConnection: close\r\n\r\n".encode()

    def one(source):
        with socket.socket(socket.AF_INET6 if six(to) else socket.AF_INET) as client:
            client.settimeout(0.9)  # less than a SYN is sent again after
            client.bind((source, 0))
            client.connect((to, 80))
            client.sendall(request)
            answer = b""
            try:
                while more := client.recv(4096):
                    answer += more
            except ConnectionResetError:
                answer = b"reset"
            if not answer.startswith(b"reset" if path == "/reset" else b"HTTP/1.1 200"):
                raise ValueError(answer[:40])

    def work(number):
        source = (f"fd00:9::{130 + number}" if six(to) else f"10.9.0.{130 + number}")
        with inside(lab.ns("client")):
            while (now := time.monotonic() - began) < seconds:
                if done[number] > now * rate / clients:
                    time.sleep(0.005)
                    continue
                try:
                    one(source)
                except (OSError, ValueError) as problem:
                    failures.append(f"{now:.2f} s: {type(problem).__name__}: {problem}")
                done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done), failures


def one_server(lab, family, local_addresses, *more):
    """A service of FULLNAT, of rs1 alone."""
    return lab.mode_service("fullnat", listen=[f"tcp/{in_url(vip('fullnat', family))}:80"], servers=["rs1"],
                            networks=lab.network_of(family), local_addresses=local_addresses, more=more)


def add_client_addresses(lab, count):
    for number in range(count):
        for address in (f"10.9.0.{130 + number}/24", f"fd00:9::{130 + number}/64"):
            lab.ip("client", "addr", "add", address, "dev", "eth0", *(["nodad"] if six(address) else []))


def local_ports_seen(capture):
    lines = capture.as_text("tcp.dstport == 8080 && tcp.flags.syn == 1", "tcp.srcport").splitlines()[1:]
    return collections.Counter(lines)


SHORT = 'timeouts = { fin_wait = "1s", time_wait = "1s", close = "1s" }'
SMALL_TABLE = {"trusted": 400, "untrusted": 400}  # its local ports come again after a few hundred connections


@pytest.mark.parametrize("family", some(4, 6, everyday=[4]))
def test_local_ports_come_again_and_no_connection_fails(lab, family):
    """Few ports and one server, which resets its connections: each port is free again after a second."""
    to, local = vip("fullnat", family), LOCALS[0 if family == 4 else 2]
    add_client_addresses(lab, 4)
    lab.write_dataplane_toml(**SMALL_TABLE)
    start(lab, one_server(lab, family, [local], SHORT))
    with Capture(lab, "sw", lab.lan, "tcp port 8080 or (ip6 and tcp port 8080)") as capture:
        requests, failures = churn(lab, to, 10, rate=250, path="/reset")
    ports = local_ports_seen(capture)
    figure(test="local_ports", family=family, requests=requests, failed=len(failures), ports=len(ports),
           most_of_one=max(ports.values()), **{key: value for key, value in lab.drops().items() if "local" in key})
    assert not failures, failures[:5]
    assert requests > 1000 and max(ports.values()) > 1


def test_a_local_port_is_not_used_while_the_server_waits(lab):
    """The server closes first and keeps each connection in TIME_WAIT for 60 s: those ports come again only then."""
    to, local = vip("fullnat", 4), LOCALS[0]
    add_client_addresses(lab, 4)
    lab.write_dataplane_toml(trusted=8000, untrusted=2000)
    start(lab, one_server(lab, 4, [local], SHORT))
    with Capture(lab, "sw", lab.lan, "tcp port 8080 and tcp[tcpflags] & tcp-syn != 0") as capture:
        requests, failed = churn(lab, to, 85, rate=200, path="/name")
    ports = local_ports_seen(capture)
    waiting = int(lab.exec("rs1", "sh", "-c", "ss -Htan state time-wait | wc -l").stdout)
    figure(test="time_wait", requests=requests, failed=len(failed), ports=len(ports), most_of_one=max(ports.values()),
           waiting_at_the_server=waiting)
    assert not failed, failed[:5]


def test_exhausted_local_ports_are_counted_and_recover(lab):
    """More connections than one local address has ports, all in the server's TIME_WAIT."""
    to = vip("fullnat", 4)
    lab.write_dataplane_toml(trusted=200_000, untrusted=50_000)
    start(lab, one_server(lab, 4, [LOCALS[0]]))
    began, opened = time.monotonic(), 0
    while time.monotonic() - began < 50 and not lab.drops().get("local_ports_exhausted"):
        lab.exec("client", "wrk", "-t2", "-c50", "-d2s", "--timeout", "1s", "-H", "Connection: close",
                 f"http://{to}/name", timeout=60, check=False)
        opened = lab.connections_of("fullnat")[2]
    exhausted = lab.drops().get("local_ports_exhausted", 0)
    figure(test="exhausted", opened=opened, dropped=exhausted)
    if not exhausted:
        pytest.skip("this machine is too slow to take 64000 ports in a minute")
    reload(lab, one_server(lab, 4, LOCALS[:2]))
    assert answers(lab, to, 10).total() == 10


# ---- UDP one by one

def first_answer(client, to, tries=3):
    """Nobody has noted where a client lives that has no connection: its first answer may have to be asked for anew."""
    client.settimeout(1)
    for last in range(tries):
        with contextlib.suppress(*([TimeoutError] if last + 1 < tries else [])):
            return ask(client, to, b"are you there?")


def udp_rows(lab):
    rows = lab.ctl_json("connection", "list", "--all").get("connections", [])
    return [row for row in rows if row["protocol"] == "UDP"]


@pytest.mark.everyday
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "fullnat"])
def test_one_packet_gives_each_datagram_to_the_next_server(running, mode):
    reload(running, running.udp_service(mode, more=["one_packet = true"]))
    before = len(udp_rows(running))  # those that expire
    for to in vips(mode):
        with running.client_socket(to, socket.SOCK_DGRAM) as client:
            first_answer(client, to)
            count = 24
            by_server = collections.Counter(ask(client, to, b"%d" % number) for number in range(count))
        figure(test="one_packet", mode=mode, vip=to, datagrams=count, failed=0, **by_server)
        assert all(abs(by_server[name] - count / 3) <= 2 * running.workers for name in running.server_names)
    assert len(udp_rows(running)) <= before


@pytest.mark.everyday
def test_one_packet_is_refused_for_fullnat(running):
    reload(running, running.udp_service("fullnat"))
    running.write_ballast_toml(running.udp_service("fullnat", more=["one_packet = true"]))
    refused = running.ctl("reload", check=False)
    assert refused.returncode == 1 and "one_packet" in refused.stdout + refused.stderr


# ---- servers that go

@pytest.mark.everyday
@pytest.mark.parametrize("mode", TWO_WAY)
@pytest.mark.parametrize("what", ["keep", "reset", "reschedule"])
def test_connections_of_a_server_that_is_disabled(running, mode, what):
    keys = {"more": [f'on_server_down = "{what}"']}
    reload(running, running.mode_service(mode, **keys), running.udp_service(mode, **keys))
    for family in (4, 6):
        to = vip(mode, family)
        tcp = running.client_socket(to, socket.SOCK_STREAM)
        tcp.connect((to, 80))
        server = who_serves(tcp)
        datagrams = running.client_socket(to, socket.SOCK_DGRAM)
        while ask(datagrams, to, b"who") != server:
            datagrams = running.client_socket(to, socket.SOCK_DGRAM)
        address = running.addresses_of(server)[family == 6]
        for service, port in ((mode, 8080), (f"{mode}-udp", 5353)):
            running.ctl("server", "disable", service, f"{in_url(address)}:{port}")
        in_sync(running)
        if what == "keep":
            assert who_serves(tcp) == server and ask(datagrams, to, b"still") == server
        else:
            with pytest.raises(ConnectionError):
                for _ in range(3):  # what is on its way when the reset comes is not told of it
                    who_serves(tcp)
                    time.sleep(0.1)
        if what == "reschedule":
            assert ask(datagrams, to, b"and now") in set(running.server_names) - {server}
        with running.client_socket(to, socket.SOCK_STREAM) as new:
            new.connect((to, 80))
            assert who_serves(new) != server
        tcp.close()
        datagrams.close()
        for service, port in ((mode, 8080), (f"{mode}-udp", 5353)):
            running.ctl("server", "enable", service, f"{in_url(address)}:{port}")


# ---- modes that change

@pytest.mark.everyday
def test_a_service_changes_its_mode_and_old_connections_stay_in_theirs(running):
    """All connections begin in one mode and end in another one's time; each is what it was."""
    turns = ("nat", "fullnat", "ipip", "dr", "gue", "nat")
    listen = [f"tcp/{in_url(each)}:80" for each in vips("dr")]

    def service(mode):
        return running.mode_service(mode, "web", listen, **({"server_port": 80} if mode in TWO_WAY else {}))

    # It has the local addresses as well, so that they stay when the other one needs them no more.
    other = running.mode_service("fullnat", "other")
    big_file(running, 4_000_000)
    reload(running, service(turns[0]), other)
    downloads = []
    for number, mode in enumerate(turns):
        if number:
            reload(running, service(mode), other)
        for to in vips("dr"):
            seen = {line.split()[0] for line in answers(running, to, 6, path="/who")}
            expected = {each for each in LOCALS if six(each) == six(to)} if mode == "fullnat" else \
                {CLIENTS["client"][six(to)]}
            assert seen <= expected, (mode, seen)
            target = running.dir / f"slow-{number}-{int(six(to))}"
            downloads.append((mode, target, running.spawn(
                "client", target.name, "curl", "-sS", "--max-time", 40, "-r", "0-1499999", "-o", target,
                f"http://{in_url(to)}/slow?rate=250000")))
        time.sleep(0.3)
    for _, _, process in downloads:
        wait_until(lambda: not process.running(), 40, process.name)  # noqa: B023
        process.ended_by_us = True
    content = big_file(running).read_bytes()[:1_500_000]
    broken = [(mode, process.output()) for mode, target, process in downloads
              if not target.exists() or target.read_bytes() != content]
    figure(test="mode_changes", reloads=len(turns) - 1, downloads=len(downloads), broken=len(broken))
    assert not broken, broken


# ---- MSS

def mss_seen(capture, what):
    """The MSS values of SYNs, of the innermost TCP header."""
    return {int(line.split(",")[-1]) for line in capture.as_text(f"tcp.flags.syn == 1 && {what}",
                                                                 "tcp.options.mss_val").splitlines()[1:]}


# MTU 1500 without the outer headers and without those of IP and TCP, by the families of the VIP and of the server.
FITS = {mode: {family: {1500 - outer - (40 if family == 4 else 60) for outer in outers} for family in (4, 6)}
        for mode, outers in (("ipip", (20, 40)), ("gre", (24, 44)), ("gue", (32, 52)))}


@pytest.mark.parametrize("mode", some(*MODES, everyday=["nat", "gue"]))
def test_the_mss_of_syns_is_clamped(running, mode):
    largest = 1300
    reload(running, running.mode_service(mode, more=[f"mss = {largest}"]))
    with (Capture(running, "sw", running.lan, "ip or ip6") as inner,
          Capture(running, "sw", "br-wan", "tcp or ip6") as outer):
        for to in vips(mode):
            assert answers(running, to, 2).total() == 2
    to_server = mss_seen(inner, f"tcp.flags.ack == 0 && tcp.dstport == {8080 if mode in TWO_WAY else 80}")
    to_client = mss_seen(outer, "tcp.flags.ack == 1 && tcp.srcport == 80")
    figure(test="mss", mode=mode, configured=largest, to_server=",".join(map(str, to_server)),
           to_client=",".join(map(str, to_client)))
    assert to_server == {largest}
    assert to_client == ({largest} if mode in TWO_WAY else {1460, 1440})  # what does not pass here stays


@pytest.mark.parametrize("mode", some(*TUNNELS, everyday=["ipip"]))
def test_mss_auto_is_what_fits_into_the_tunnel(running, mode):
    reload(running, running.mode_service(mode, more=['mss = "auto"']))
    for family in (4, 6):
        with Capture(running, "sw", running.lan, "ip or ip6") as capture:
            assert answers(running, vip(mode, family), 12).total() == 12
        found = mss_seen(capture, "tcp.flags.ack == 0 && tcp.dstport == 80")
        figure(test="mss_auto", mode=mode, family=family, to_server=",".join(map(str, sorted(found))))
        assert found == FITS[mode][family]


# ---- tunnels

@pytest.mark.parametrize("mode", some(*TUNNELS, everyday=["gre", "gue"]))
def test_outer_sources_spread_for_the_servers_queues(running, mode):
    """IPIP and GRE by the configured range of addresses, GUE by its source port; each flow keeps to one."""
    ranges = ("10.9.1.224/28", "fd00:91::e0/124")
    reload(running, running.mode_service(mode, more=[f"tunnel_source = {toml_list(ranges)}"]))
    with Capture(running, "sw", running.lan, "ip or ip6") as capture:
        for to in vips(mode):
            assert answers(running, to, 36).total() == 36
    networks = [ipaddress.ip_network(each) for each in ranges]
    flows = collections.defaultdict(set)
    lan_mac = running.port_mac_of(running.lan_port)
    for line in capture.as_text(f"tcp.dstport == 80 && eth.src == {lan_mac}", "ip.src", "ipv6.src", "tcp.srcport",
                                "udp.srcport").splitlines()[1:]:
        v4, v6, port, outer_port = line.split("\t")
        sources = [ipaddress.ip_address(each) for each in (v4 + "," + v6).split(",") if each]
        outer = [each for each in sources if any(each in network for network in networks)]
        assert len(sources) == 2 and len(outer) == 1, line
        flows[port].add((outer[0], outer_port))
    assert len(flows) == 72 and all(len(ways) == 1 for ways in flows.values())
    found = {way for ways in flows.values() for way in ways}
    for version in (4, 6):
        addresses = {address for address, _ in found if address.version == version}
        ports = {port for address, port in found if address.version == version}
        figure(test="outer_sources", mode=mode, outer=version, flows=36, addresses=len(addresses), ports=len(ports))
        assert len(addresses) > 8 and (mode != "gue" or len(ports) > 30)


@pytest.mark.parametrize("mode", some(*TUNNELS, everyday=["ipip"]))
def test_what_may_be_cut_and_is_too_long_for_the_tunnel_is_cut_outside(running, mode):
    """An IPv4 datagram without DF that fills 1500 bytes: two outer fragments, which put together are what came."""
    own, to = CLIENTS["client"][0], vip(mode, 4)
    reload(running, running.service_of(mode, "one", 53, running.addresses_of("rs1"), "udp"))
    macs = running.port_mac(), running.mac("client", "eth0")
    with Capture(running, "sw", running.lan, "ip or ip6") as capture, raw_socket(running.ns("client"), "eth0") as wire:
        for number in range(6):  # to both of the server's addresses
            payload = udp(own, to, 40000 + number, 53, bytes([65 + number]) * 1472)
            wire.send(ethernet(*macs, 0x0800, ipv4(own, to, 17, payload, identification=number)))
            time.sleep(0.05)
    # The servers' kernels put the fragments together as well, and refuse what they find.
    lan_mac = running.port_mac_of(running.lan_port)
    lines = capture.as_text(f"udp.dstport == 53 && ip.dst == {to} && eth.src == {lan_mac}", "udp.length",
                            "udp.checksum.status", options=("-o", "udp.check_checksum:TRUE")).splitlines()[1:]
    frames = [frame for frame in map(parse, capture.frames()) if frame.source_mac == lan_mac]
    longest = max(len(frame.packet) for frame in frames)
    figure(test="outer_fragments", mode=mode, datagrams=6, whole=len(lines), longest_packet=longest)
    # tshark puts fragments together, outer ones of both families; the inner checksum says that it is all there.
    assert len(lines) == 6 and longest <= 1500
    assert all([field.split(",")[-1] for field in line.split("\t")] == ["1480", "1"] for line in lines), lines
    assert len(frames) >= 12
