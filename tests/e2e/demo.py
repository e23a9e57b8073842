#!/usr/bin/python3
"""./dev demo: a load balancer in front of three web servers, all in network namespaces of this machine."""

import argparse
import collections
import signal
import sys

from lab import BIN, VIP4, VIP6, Lab

REQUESTS = 36


def say(text=""):
    print(text, flush=True)


def curl_many(lab, vip, count=REQUESTS):
    """Who answered how often."""
    return collections.Counter(lab.who_answers(vip, timeout=5) for _ in range(count))


def show(vip, answers):
    say(f"  {vip:<14} " + "   ".join(f"{name} x {count}" for name, count in sorted(answers.items())))


def demo(lab):
    say(f"== network: client, load balancer, {', '.join(lab.server_names)}, joined by a bridge")
    lab.start()
    say("== both daemons run, all servers are healthy")
    say()
    say(f"== curl http://{VIP4}/name and http://[{VIP6}]/name, {REQUESTS} times each: who answered")
    for vip in (VIP4, VIP6):
        show(vip, curl_many(lab, vip))
    say()
    say("== killing nginx on rs2")
    lab.processes["nginx-rs2"].stop(signal.SIGKILL)
    lab.wait_healthy(4)  # rs1 and rs3, each over IPv4 and IPv6
    for vip in (VIP4, VIP6):
        show(vip, curl_many(lab, vip))
    say()
    say("== ballastctl status")
    say(lab.ctl("status", check=False).stdout)
    say("== ballastctl service list")
    say(lab.ctl("service", "list").stdout)


def what_to_try(lab):
    client = f"ip netns exec {lab.ns('client')}"
    ctl = f"{BIN}/ballastctl --socket {lab.socket}"
    say(f"""It stays up until you press Enter or Ctrl-C. In another terminal, as root, try:

  {client} curl http://{VIP4}/name                 a request through the VIP
  {client} wrk -t2 -c50 -d5 http://{VIP4}/name     many of them
  {ctl} status
  {ctl} connection list
  {ctl} server drain web 10.9.0.11        no new connections for rs1; enable brings it back
  {ctl} drops                             what was dropped, and why
  $EDITOR {lab.dir}/ballast.toml && {ctl} reload
  ip netns exec {lab.ns('sw')} tshark -i br0 -f 'host {VIP4}'     the packets, with their MACs
  logs: {lab.dir}/*.log
""")


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it up and say what to try")
    parser.add_argument("--port", choices=["af_xdp", "af_packet", "tap"], default="af_xdp", help="the kind of port")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    try:
        with Lab(port=options.port, workers=options.workers) as lab:
            demo(lab)
            if options.keep:
                what_to_try(lab)
                sys.stdin.readline() if sys.stdin.isatty() else signal.pause()
    except KeyboardInterrupt:
        say("interrupted: everything is taken down")
        sys.exit(130)
    say("== all of it is gone again; ./dev demo --keep leaves it up")


main()
