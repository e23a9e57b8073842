"""A small network of namespaces: a client, a load balancer, real servers, joined by a bridge.

    client ---+                  10.9.0.0/24 and fd00:9::/64
    lb     ---+--- br0 (in sw)   VIPs 10.9.0.100 and fd00:9::100
    rs1..3 ---+

Everything a Lab makes has a name of its own, so that several may run at once, and goes away with it: at the end of
`with Lab() as lab`, on Ctrl-C and on SIGTERM. What a killed run left behind is swept by the next one.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# ctest says which build it belongs to; who sets BALLAST_BIN means another one.
BIN = pathlib.Path(os.environ.get("BALLAST_BIN") or os.environ.get("BALLAST_BUILD_BIN") or ROOT / "build/dev/bin")
HTTP_CHECK = '{ type = "http", path = "/health", interval = "200ms", timeout = "150ms", rise = 2, fall = 2 }'
# Of sanitizer builds: what is not ours to mend.
os.environ.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/e2e/lsan.supp:print_suppressions=0")
VIP4, VIP6 = "10.9.0.100", "fd00:9::100"
PREFIX = "bl"


def run(*command, check=True, timeout=60, **options):
    """A command to its end; its output is in the error when it fails."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def wait_until(condition, seconds=10.0, what="condition", pause=0.02):
    """The first true value of condition(), which is asked every `pause` seconds; an error after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)


def figure(**values):
    """One line of what a test measured or counted, for people and for the closing note of a release."""
    print("FIGURE " + " ".join(f"{name}={value}" for name, value in values.items()), flush=True)


def in_url(address):
    return f"[{address}]" if ":" in address else address


@contextlib.contextmanager
def inside(namespace):
    """This thread in another network namespace; a socket made here stays there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor):
        if libc.setns(descriptor, 0x40000000) != 0:  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")

    with open("/proc/thread-self/ns/net", "rb") as here, open(f"/run/netns/{namespace}", "rb") as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(here.fileno())


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _destroy_namespace(namespace):
    """With all processes in it: a worker of a killed nginx, for one, would live on."""
    for pid in run("ip", "netns", "pids", namespace, check=False).stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    run("ip", "netns", "del", namespace, check=False)


def _sweep_dead_runs():
    """Namespaces and folders are named bl-PID-...: those whose process is gone are nobody's."""
    def is_nobodys(name):
        match = re.match(rf"{PREFIX}-(\d+)-", name)
        return match and not pathlib.Path(f"/proc/{match[1]}").exists()

    for line in run("ip", "netns", "list").stdout.splitlines():
        if is_nobodys(line):
            _destroy_namespace(line.split()[0])
    for path in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        if is_nobodys(path.name):
            shutil.rmtree(path, ignore_errors=True)


INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def _ignore_interrupts():
    """From here on the clean-up is not to be stopped, however impatient somebody is."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(*_):
    _ignore_interrupts()
    raise KeyboardInterrupt


class Process:
    """A program in a namespace; its output goes to a file."""

    def __init__(self, name, command, log):
        self.name, self.log, self.ended_by_us = name, log, False
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=_die_with_parent, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Ends it, with all that it started, and returns its exit code; negative for a signal."""
        if self.running():
            self.ended_by_us = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)  # start_new_session made it the leader of a group of its own
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
        return self.popen.wait()

    def output(self):
        return self.log.read_text(errors="replace")


class Lab:
    server_networks = ("10.9.0.", "fd00:9::")  # where the load balancer reaches the real servers
    lb_ports = {"wan": "eth1"}                 # name in dataplane.toml -> interface
    http_ports = (80,)

    def __init__(self, port="af_xdp", workers=1, servers=3, keep=False):
        self.port_kind, self.workers, self.keep = port, workers, keep
        self.server_names = [f"rs{i + 1}" for i in range(servers)]
        self.id = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.id}-"))
        self.processes, self.all_processes = {}, []  # the last one of each name, and every one
        self.namespaces = []

    # --- life
    def __enter__(self):
        self._old_handlers = {number: signal.signal(number, _interrupt) for number in INTERRUPTS}
        try:
            _sweep_dead_runs()
            self._build_network()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if not self.keep:
            self.destroy()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    def destroy(self):
        _ignore_interrupts()
        for process in reversed(self.all_processes):
            process.stop(signal.SIGKILL)
        for namespace in self.namespaces:
            _destroy_namespace(namespace)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- network
    def ns(self, name):
        return f"{self.id}-{name}"

    def ip(self, name, *words, check=True):
        return run("ip", "-n", self.ns(name), *words, check=check)

    def exec(self, name, *command, **options):
        """A command in a namespace, to its end."""
        return run("ip", "netns", "exec", self.ns(name), *command, **options)

    def spawn(self, name, process_name, *command):
        """A program in a namespace, in the background."""
        log = self.dir / f"{process_name}.log"
        process = Process(process_name, ["ip", "netns", "exec", self.ns(name), *command], log)
        self.processes[process_name] = process
        self.all_processes.append(process)
        return process

    def mac(self, name, interface):
        return json.loads(self.ip(name, "-j", "link", "show", interface).stdout)[0]["address"]

    def sysctl(self, name, **values):
        for key, value in values.items():
            self.exec(name, "sysctl", "-qw", f"{key.replace('__', '.')}={value}")

    def _add_namespace(self, name):
        run("ip", "netns", "add", self.ns(name))
        self.namespaces.append(self.ns(name))
        self.ip(name, "link", "set", "lo", "up")
        # No waiting for duplicate addresses: until it is over, for a second or two, a host asks for no IPv6 neighbour.
        self.sysctl(name, net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)

    def _build_network(self):
        self._add_switch("br0")
        self.join("client", "eth0", 1)
        for number, name in enumerate(self.server_names):
            self.join(name, "eth0", 11 + number)
            self._prepare_server(name)
        self.join("lb", "eth1")
        self._prepare_lb()

    def _add_switch(self, *bridges):
        self._add_namespace("sw")
        self._bridge_lets_everything_pass("sw")
        for bridge in bridges:
            self.ip("sw", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0",
                    "mcast_snooping", "0")
            self.ip("sw", "link", "set", bridge, "up")

    def _prepare_server(self, name):
        """It takes packets for the VIPs, and says so to nobody."""
        self.sysctl(name, net__ipv4__conf__all__arp_ignore=1, net__ipv4__conf__all__arp_announce=2)
        self.add_vip_to_server(name, VIP4, VIP6)

    def _bridge_lets_everything_pass(self, name):
        """Where the kernel has br_netfilter, a bridge drops malformed packets before the load balancer sees them."""
        if pathlib.Path("/proc/sys/net/bridge").exists():
            self.sysctl(name, **{f"net__bridge__bridge-nf-call-{kind}": 0 for kind in ("iptables", "ip6tables")})

    def join(self, name, interface, host=None):
        """A new namespace on the bridge, with an address when `host` is given."""
        self._add_namespace(name)
        self.plug(name, interface, "br0", f"v-{name}",
                  () if host is None else (f"10.9.0.{host}/24", f"fd00:9::{host}/64"))

    def plug(self, name, interface, bridge, switch_end, addresses=()):
        """A cable from a namespace to a bridge of the switch."""
        self.ip("sw", "link", "add", switch_end, "type", "veth", "peer", "name", interface, "netns", self.ns(name))
        self.ip("sw", "link", "set", switch_end, "master", bridge, "up")
        self.finish_packets(name, interface)
        for address in addresses:
            self.ip(name, "addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
        self.ip(name, "link", "set", interface, "up")

    def finish_packets(self, name, interface):
        """A veth leaves checksums unfinished and sends giants; nobody behind it would finish or cut them."""
        self.exec(name, "ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)

    def add_vip_to_server(self, name, *vips):
        for vip in vips:
            length, more = ("128", ["nodad"]) if ":" in vip else ("32", [])
            self.ip(name, "addr", "add", f"{vip}/{length}", "dev", "lo", *more)

    def _prepare_lb(self):
        if self.port_kind == "tap":
            self._bridge_lets_everything_pass("lb")
        for interface in self.lb_ports.values():
            if self.port_kind == "tap":
                # The tap is the load balancer's end of a cable; a bridge in the same namespace joins it to the network.
                bridge = self._tap_bridge(interface)
                self.ip("lb", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0",
                        "mcast_snooping", "0")
                # It must not answer for addresses of the twin, as a Linux host does on every interface.
                self.sysctl("lb", **{f"net__ipv6__conf__{bridge}__disable_ipv6": 1,
                                     f"net__ipv4__conf__{bridge}__arp_ignore": 8})
                self.ip("lb", "link", "set", interface, "master", bridge)
                self.ip("lb", "link", "set", bridge, "up")
            self.sysctl("lb", **{f"net__ipv6__conf__{interface}__disable_ipv6": 1})

    @staticmethod
    def _tap_bridge(interface):
        return interface.replace("eth", "br")

    # --- the load balancer
    @property
    def device(self):
        return self.device_of("eth1")

    def device_of(self, interface):
        return f"{self.port_kind}:{interface.replace('eth', 'lbtap') if self.port_kind == 'tap' else interface}"

    @property
    def socket(self):
        return self.dir / "run" / "ballastd.sock"

    def write_dataplane_toml(self, more="", **connections):
        """`more`: further lines of [dataplane]."""
        limits = {"trusted": 200000, "untrusted": 20000, **connections}
        (self.dir / "dataplane.toml").write_text(f"""
[dataplane]
workers = {self.workers}
hugepages = false
runtime_dir = "{self.dir}/run"
{more}

[connections]
trusted = {limits["trusted"]}
untrusted = {limits["untrusted"]}
""" + "".join(f'\n[[port]]\nname = "{name}"\ndevice = "{self.device_of(interface)}"\n'
              for name, interface in self.lb_ports.items()))

    def service_toml(self, name="web", listen=("tcp/{v4}:80", "tcp/{v6}:80"), servers=None, scheduler="rr",
                     weights=None, check=HTTP_CHECK, extra="", networks=None, mode="dr", server_port=None):
        """A [[service]] over the real servers, with the address of each in every network, which are both families'."""
        servers = self.server_names if servers is None else servers
        weights = weights or {}
        lines = []
        for server in servers:
            host = 11 + self.server_names.index(server)
            weight = weights.get(server, 1)
            addresses = [f"{network}{host}" for network in networks or self.server_networks]
            if server_port:
                addresses = [f"{in_url(address)}:{server_port}" for address in addresses]
            lines += [f'  {{ address = "{address}", weight = {weight} }},' for address in addresses]
        listeners = ", ".join('"' + each.format(v4=VIP4, v6=f"[{VIP6}]") + '"' for each in listen)
        return "\n".join(["", "[[service]]", f'name = "{name}"', f"listen = [{listeners}]", f'mode = "{mode}"',
                          f'scheduler = "{scheduler}"', f"check = {check}", extra, "server = [", *lines, "]", ""])

    def write_ballast_toml(self, *services, daemon=""):
        text = f"""
[daemon]
dataplane_socket = "{self.dir}/run/dataplane.sock"
control_socket = "{self.socket}"
{daemon}

[[interface]]
name = "wan"
addresses = ["10.9.0.10/24", "fd00:9::10/64"]
""" + "".join(services or [self.service_toml()])
        path = self.dir / "ballast.toml"
        path.write_text(text)
        return path

    def start_dataplane(self):
        if not (self.dir / "dataplane.toml").exists():
            self.write_dataplane_toml()
        process = self.spawn("lb", "ballast-dataplane", BIN / "ballast-dataplane", "-c", self.dir / "dataplane.toml")

        def ready():
            if not process.running():
                raise RuntimeError("ballast-dataplane ended: " + process.output()[-2000:])
            return f"ballast-dataplane[{process.pid}] forwarding:" in process.output()

        wait_until(ready, 20, "ballast-dataplane to forward")
        if self.port_kind == "tap":
            for interface in self.lb_ports.values():
                self.ip("lb", "link", "set", interface.replace("eth", "lbtap"), "master", self._tap_bridge(interface),
                        "up")
        return process

    def start_ballastd(self):
        if not (self.dir / "ballast.toml").exists():
            self.write_ballast_toml()
        process = self.spawn("lb", "ballastd", BIN / "ballastd", "-c", self.dir / "ballast.toml")

        def ready():
            if not process.running():
                raise RuntimeError("ballastd ended: " + process.output()[-2000:])
            return self.ctl("status", check=False).returncode == 0

        wait_until(ready, 15, "ballastd to answer")
        return process

    def ctl(self, *words, check=True):
        return run(BIN / "ballastctl", "--socket", self.socket, *words, check=check)

    def port_mac(self):
        return self.ctl_json("status")["dataplane"]["ports"][0]["info"]["mac"]

    def server_rows(self, service="web"):
        """Address -> row of `service show`."""
        return {row["address"]: row for row in self.ctl_json("service", "show", service)["services"][0]["servers"]}

    def ctl_json(self, *words):
        return json.loads(self.ctl(*words, "--json").stdout)

    def wait_healthy(self, servers=None, seconds=15):
        """Until as many servers are up (each counts once per family)."""
        wanted = 2 * len(self.server_names) if servers is None else servers

        def up():
            text = self.ctl("checks", check=False).stdout
            return len(re.findall(r"\bup\b", text)) == wanted

        wait_until(up, seconds, f"{wanted} healthy servers")

    def start(self):
        """Servers and both daemons, until the VIP serves."""
        self.start_servers()
        self.start_dataplane()
        self.start_ballastd()
        self.wait_healthy()

    def drops(self):
        """Reason -> packets, those that are not zero."""
        answer = self.ctl_json("drops", "--all")
        return {row["reason"]: int(row.get("packets", 0)) for row in answer["drops"] if int(row.get("packets", 0))}

    # --- real servers
    def start_servers(self):
        for name in self.server_names:
            self.start_nginx(name)

    def start_nginx(self, name):
        home = self.dir / f"nginx-{name}"
        (home / "html").mkdir(parents=True, exist_ok=True)
        (home / "html" / "name").write_text(name + "\n")
        (home / "nginx.conf").write_text(f"""
daemon off; pid {home}/pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 200m; client_body_temp_path {home}/body; keepalive_requests 1000000;
  proxy_temp_path {home}/p; fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{
    {" ".join(f"listen {port} backlog=4096; listen [::]:{port} backlog=4096;" for port in self.http_ports)}
    root {home}/html;
    reset_timedout_connection on;
    location = /reset {{ return 444; }}
    location = /who {{ return 200 "$remote_addr $remote_port\\n"; }}
    location /health {{ if (-f {home}/sick) {{ return 503; }} return 200 "ok\\n"; }}
    location /upload {{ dav_methods PUT; }}
    location = /big {{ alias {self.dir}/big; }}
    location = /slow {{ alias {self.dir}/big; sendfile_max_chunk 2k; set $limit_rate $arg_rate; }}
  }}
}}
""")
        (home / "html" / "upload").mkdir(exist_ok=True)
        os.chmod(self.dir, 0o755)
        for path in [home, *home.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        process = self.spawn(name, f"nginx-{name}", "nginx", "-p", home, "-c", home / "nginx.conf")
        wait_until(lambda: self.exec(name, "curl", "-sf", "http://127.0.0.1/health", check=False).returncode == 0, 10,
                   f"nginx on {name}")
        return process

    def start_udp_echo(self, name, port=53, addresses=(VIP4, VIP6)):
        """Answers each datagram with the server's name and the datagram."""
        program = ROOT / "tests" / "e2e" / "udp_echo.py"
        process = self.spawn(name, f"udp-{name}-{port}", "/usr/bin/python3", program, name, port, *addresses)
        wait_until(lambda: "ready" in process.output(), 10, f"the echo on {name}")
        return process

    # --- the client
    def client_socket(self, address, kind):
        """A socket in the client's namespace, of the family of `address`."""
        with inside(self.ns("client")):
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        made.settimeout(5)
        return made

    def curl(self, url, *words, check=True, timeout=30):
        return self.exec("client", "curl", "-sS", "--max-time", timeout, *words, url, check=check, timeout=timeout + 10)

    def who_answers(self, vip=VIP4, **options):
        return self.curl(f"http://{in_url(vip)}/name", **options).stdout.strip()

    def load(self, **options):
        return Load(self, **options)


class Load:
    """Short requests from the client, all the time, each counted. `with lab.load() as load: ...; load.result`."""

    def __init__(self, lab, vips=(VIP4, VIP6), threads=4, pause=0.002, timeout=3.0):
        self.lab, self.result = lab, None
        self.report = lab.dir / f"load-{secrets.token_hex(3)}.json"
        words = ["/usr/bin/python3", ROOT / "tests" / "e2e" / "load.py", "--threads", threads, "--pause", pause,
                 "--timeout", timeout, "--report", self.report]
        for vip in vips:
            words += ["--vip", vip]
        self.words = words

    def __enter__(self):
        self.process = self.lab.spawn("client", f"load-{secrets.token_hex(3)}", *self.words)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        self.process.stop(signal.SIGTERM)
        self.result = json.loads(self.report.read_text())
