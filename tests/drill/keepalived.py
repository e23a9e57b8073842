"""Debian's keepalived as both nodes, on the same switch: what its own outages are, in the same network and run.

It holds its VIP on a kernel interface and answers pings itself; there is no service behind it. Its nodes have
namespaces of their own, so that nothing of ours is in its way.
"""

import contextlib
import signal

from lab import wait_until

VIP4, VIP6, ROUTER_ID = "10.9.0.101", "fd00:9::101", 61
NODES = {"ka1": (31, 150), "ka2": (32, 100)}
MASTER = "Entering MASTER STATE"


class KeepalivedPair:
    """`with KeepalivedPair(pair, interval_ms) as nodes:` with ka1 active."""

    def __init__(self, pair, interval_ms):
        self.pair, self.interval_ms = pair, interval_ms

    def __enter__(self):
        for name, (host, _) in NODES.items():
            if self.pair.ns(name) not in self.pair.namespaces:
                self.pair.add_node(name, ("eth1", "eth2"), ((f"10.9.0.{host}/24", f"fd00:9::{host}/64"),
                                                            (f"10.9.1.{host}/24", f"fd00:91::{host}/64")))
                self.pair.load_switch_rules(NODES)
        for name in NODES:
            self.start(name)
            wait_until(lambda: "BACKUP STATE" in self.log(name) or MASTER in self.log(name), 15,  # noqa: B023
                       f"keepalived on {name}")
        self.wait_for_master("ka1")
        return self

    def wait_for_master(self, name):
        wait_until(lambda: MASTER in self.log(name), 15, f"keepalived on {name} to be active")

    def __exit__(self, *_):
        for name in NODES:
            self.process(name).stop(signal.SIGTERM)
            self.pair.mend(name, "wan")
            # What a killed one leaves behind.
            self.pair.ip(name, "addr", "del", f"{VIP4}/24", "dev", "eth1", check=False)

    def process(self, name):
        return self.pair.processes[f"keepalived-{name}"]

    def log(self, name):
        return self.process(name).output()

    def start(self, name):
        home = self.pair.dir / name
        home.mkdir(exist_ok=True)
        (home / "keepalived.conf").write_text(f"""
global_defs {{ router_id {name}
  vrrp_version 3
  vrrp_garp_master_delay 1
}}
vrrp_instance VI_1 {{ state BACKUP
  interface eth1
  virtual_router_id {ROUTER_ID}
  priority {NODES[name][1]}
  advert_int {self.interval_ms / 1000:g}
  virtual_ipaddress {{ {VIP4}/24 }}
}}
""")
        for left in home.glob("*.pid"):
            left.unlink()
        with contextlib.suppress(FileNotFoundError):
            (self.pair.dir / f"keepalived-{name}.log").unlink()
        self.pair.spawn(name, f"keepalived-{name}", "keepalived", "-P", "-n", "-l", "-D", "-f",
                        home / "keepalived.conf", "-p", home / "ka.pid", "-r", home / "vrrp.pid", "-c",
                        home / "check.pid")
