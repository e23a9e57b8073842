"""./dev drill: two load balancers in network namespaces, a client under steady load, and what goes wrong.

Every kind begins in a fresh steady state: lb1 active, lb2 backup, all servers healthy, load for more than a second.
outage_ms is the longest time in which no new connection could be made through the VIP; two_owners_ms is how long two
nodes answered for, or announced, one address. README.md in tests/drill defines every figure.
"""

import argparse
import dataclasses
import os
import re
import sys

from .kinds import KINDS, ROUNDS
from .drill import run_kind
from .network import Pair, Settings
from . import report

FAMILIES = {"4": (4,), "6": (6,), "both": (4, 6)}


def interval(text):
    match = re.fullmatch(r"(\d+)(ms|s)", text)
    if not match:
        raise argparse.ArgumentTypeError(f'"{text}": expected a duration such as "100ms"')
    return int(match[1]) * (1000 if match[2] == "s" else 1)


def kinds(text):
    unknown = [name for name in text.split(",") if name not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f'unknown kind "{unknown[0]}": expected some of {", ".join(KINDS)}')
    return [KINDS[name] for name in text.split(",")]


def arguments():
    listed = "\n".join(f"  {kind.name:<22}{kind.what}" for kind in KINDS.values())
    parser = argparse.ArgumentParser(prog="./dev drill", description=__doc__, epilog="kinds:\n" + listed,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the rows to this file as well")
    parser.add_argument("--kind", type=kinds, metavar="KIND[,KIND]",
                        help="default: all; those of keepalived, which has no mode, only with dr")
    parser.add_argument("--interval", type=interval, default=100, metavar="100ms", help="between adverts")
    parser.add_argument("--mode", choices=["dr", "nat", "fullnat", "tun"], default="dr", help="of the service")
    parser.add_argument("--scheduler", default="mh", help="mh, or one that does not hash, to see what that costs")
    parser.add_argument("--family", choices=FAMILIES, default="both", help="of the VIPs")
    parser.add_argument("--port", choices=["af_xdp", "af_packet"], default="af_xdp", help="the kind of ports")
    parser.add_argument("--repeat", type=int, default=1, help="each kind so often")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of preemption")
    parser.add_argument("--keep-logs", metavar="FOLDER", help="copy logs and captures there, after each row")
    options = parser.parse_args()
    if options.kind is None:
        options.kind = [kind for kind in KINDS.values() if options.mode == "dr" or not kind.keepalived]
    return options


def hold_drills(options, pair):
    """Rows and what is wrong with them, as they come."""
    base = Settings(port=options.port, interval_ms=options.interval, scheduler=options.scheduler, mode=options.mode,
                    families=FAMILIES[options.family])
    pair.start_servers()
    for repeat in range(1, options.repeat + 1):
        for kind in options.kind:
            settings = dataclasses.replace(base, preempt=kind.preempt, interval_ms=kind.interval_ms or base.interval_ms)
            row = run_kind(pair, kind, settings, repeat=repeat, rounds=options.rounds)
            yield row, report.judge(row, report.limits_for(kind, row))


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("drill: it makes network namespaces: run it with sudo")
    rows, wrong = [], []
    print(report.heading(), flush=True)
    try:
        with Pair(port=options.port) as pair:
            for row, faults in hold_drills(options, pair):
                rows.append(row)
                wrong += faults
                print(report.line(row), flush=True)
                for note in row.get("notes", []):
                    print(f"    {note}", flush=True)
                if options.keep_logs:
                    pair.keep_logs(options.keep_logs, f"{row['kind']}-{row['repeat']}")
    except KeyboardInterrupt:
        print("interrupted: everything is taken down", flush=True)
        sys.exit(130)
    finally:
        if options.json:
            report.write_json(options.json, rows)
    for fault in wrong:
        print(f"FAILED {fault}", flush=True)
    sys.exit(1 if wrong else 0)


main()
