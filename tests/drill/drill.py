"""One drill from its steady state to its row."""

import time

from . import report
from .capture import Watch
from .keepalived import NODES, VIP4, KeepalivedPair
from .kinds import Scene, mended
from .load import ClientLoad

LEAD = 1.2  # seconds of load before the fault, beside the time until it is steady


def run_kind(pair, kind, settings, *, repeat=1, rounds=20, short=False, downloads=24):
    """The row; with "error" in it when the drill itself could not be held."""
    try:
        with mended(pair):
            if kind.keepalived:
                return _keepalived(pair, kind, settings, repeat)
            return _ballast(pair, kind, settings, Scene(pair, settings, short, rounds), repeat, downloads)
    except (RuntimeError, TimeoutError) as problem:
        return {"kind": kind.name, "repeat": repeat, "interval_ms": settings.interval_ms, "error": str(problem)}


def _ballast(pair, kind, settings, scene, repeat, downloads):
    pair.start_nodes(settings)
    kind.prepare(scene)
    seconds = LEAD + 1 + kind.expected_seconds(scene.rounds)
    nodes = [node.name for node in pair.nodes]
    # Most of FULLNAT's will not end: a client that only listens is not told that its connection is gone.
    grace = 3 if settings.mode == "fullnat" else 20
    with (Watch(pair, nodes, settings.vips, settings.lan_addresses) as watch,
          ClientLoad(pair, settings.vips, seconds, downloads, grace) as load):
        load.wait_steady()
        time.sleep(LEAD - 1)
        begin = time.monotonic()
        kind.fault(scene)
    row = report.make_row(kind, scene, repeat, load.result.since(begin), watch)
    return {**row, "largest_lateness_ms": report.largest_lateness(pair.nodes)}


def _keepalived(pair, kind, settings, repeat):
    pair.stop_nodes()
    with (KeepalivedPair(pair, settings.interval_ms) as nodes, Watch(pair, list(NODES), [VIP4]) as watch,
          ClientLoad(pair, [VIP4], None) as load):
        load.wait_steady()
        begin = time.monotonic()
        kind.fault(Scene(pair, settings), nodes)
    return report.keepalived_row(kind, settings.interval_ms, repeat, load.result.since(begin), watch)
