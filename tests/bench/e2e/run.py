#!/usr/bin/python3
"""Packets per second through ballast-dataplane, between two processes, with dpdk-testpmd as generator and sink.

Each run starts the real programs (release build), sends UDP through DR for some seconds, and does the same with
testpmd's macswap in the place of the balancer: the floor. Runs of the two alternate, so that a machine that changes
its mind changes it for both. bench_lab.py says what is connected to what.

What to know of the figures:
- The generator offers more than is taken, so this is throughput under overload; "lost" is what the balancer
  had received and dropped, almost always because the generator, which has one core for both directions, did not
  take it back in time.
- Flows come in the order of their numbers, because flowgen counts. For the cost of many flows see `./dev bench
  pipeline`.
- af_xdp over veth measures mostly the kernel, which copies each packet twice.
"""

import argparse
import os
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
os.environ.setdefault("BALLAST_BIN", str(ROOT / "build/release/bin"))
sys.path[:0] = [str(HERE), str(ROOT / "tests/e2e")]

from bench_lab import DATAPLANE_MB, TABLE_MB, BenchLab  # noqa: E402
from hugepages import Hugepages  # noqa: E402
from lab import BIN, wait_until  # noqa: E402
from report import Report, describe_machine  # noqa: E402
from testpmd import MEMORY_MB, PROGRAM, is_installed  # noqa: E402

DEVICES = ("vhost", "af_xdp")
WARM_UP = 0.5


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench e2e", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--device", action="append", choices=DEVICES, help="only this one; may be repeated")
    parser.add_argument("--runs", type=int, default=5, help="runs of balancer and floor each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="measured in each run (%(default)s)")
    parser.add_argument("--flows", type=int, default=1024, help="one VIP each, at most 60000 (%(default)s)")
    parser.add_argument("--cores", default="0,1", help="generator's and balancer's core (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    options = parser.parse_args()
    try:
        options.generator_core, options.balancer_core = map(int, options.cores.split(","))
    except ValueError:
        parser.error(f"--cores {options.cores}: expected two numbers, such as 0,1")
    if options.generator_core == options.balancer_core:
        parser.error(f"--cores {options.cores}: generator and balancer need a core each")
    for core in (options.generator_core, options.balancer_core):
        if core not in os.sched_getaffinity(0):
            parser.error(f"--cores {options.cores}: this process may not run on core {core}: expected two of "
                         f"{sorted(os.sched_getaffinity(0))}")
    for name, value, least, most in (("runs", options.runs, 1, 1000), ("seconds", options.seconds, 0.1, 60),
                                     ("flows", options.flows, 1, 60000)):
        if not least <= value <= most:
            parser.error(f"--{name} {value}: expected {least} to {most}")
    return options


def rate(generator, seconds):
    """Millions of packets a second that came back."""
    time.sleep(WARM_UP)
    before, began = generator.received()
    time.sleep(seconds)
    after, ended = generator.received()
    return (after - before) / (ended - began) / 1e6


def through_balancer(options, kind):
    """Mpps, packets received and lost while they were measured."""
    with BenchLab(kind, options.flows, options.generator_core, options.balancer_core) as lab:
        lab.start_balancer()
        generator = lab.start_generator()
        lab.introduce_servers(generator.mac())
        wait_until(lab.knows_the_way, 15, "the dataplane to know its servers")
        generator.say("start")
        time.sleep(WARM_UP)
        before = lab.packets()
        mpps = rate(generator, options.seconds)
        received, lost = (now - then for now, then in zip(lab.packets(), before))
        generator.end()
        lab.stop_balancer()
    return mpps, received, lost


def through_floor(options, kind):
    with BenchLab(kind, options.flows, options.generator_core, options.balancer_core) as lab:
        floor = lab.start_floor()
        generator = lab.start_generator()
        generator.say("start")
        mpps = rate(generator, options.seconds)
        generator.end()
        floor.end()
    return mpps


def measure(options, kind, report):
    balancer, floor, received, lost = [], [], 0, 0
    for _ in range(options.runs):
        mpps, received_now, lost_now = through_balancer(options, kind)
        balancer.append(mpps)
        received, lost = received + received_now, lost + lost_now
        floor.append(through_floor(options, kind))
    if min(balancer + floor) <= 0:
        raise RuntimeError(f"no packets came back: balancer {balancer} Mpps, floor {floor} Mpps")
    report.add(kind, options.flows, balancer, floor, lost / received if received else 0.0)


def end_in_order(*_):
    """Whatever ends us: processes, namespaces and hugepages go with us. The clean-up is not to be stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def check_programs():
    if os.geteuid() != 0:
        sys.exit("bench e2e: needs root: it makes network namespaces and reserves hugepages: run it with sudo")
    if not is_installed():
        sys.exit(f"bench e2e: {PROGRAM} is missing: install Debian's package dpdk-dev")
    for program in ("ballast-dataplane", "ballastd", "ballastctl"):
        if not (BIN / program).exists():
            sys.exit(f"bench e2e: {BIN / program} is missing: ./dev build release")


def main():
    options = arguments()
    check_programs()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_in_order)
    # The balancer and the generator, or the floor and the generator.
    megabytes = DATAPLANE_MB + TABLE_MB + MEMORY_MB
    with Hugepages(megabytes):
        report = Report(describe_machine(options.balancer_core, f"{megabytes} MiB reserved, in 2 MiB pages"))
        for kind in options.device or DEVICES:
            try:
                measure(options, kind, report)
            except (RuntimeError, TimeoutError, OSError) as error:
                report.fail(kind, str(error))
    if options.json:
        report.write(options.json)
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
