"""A drill's figures as a row; what is asked of them; the table."""

import json

from . import keepalived, measure
from .capture import ASK_SECONDS
from .network import ROUTER_ID

# What must hold, by group of kinds; a figure that is not named is not limited. Those of FOR_HASHING hold where both
# nodes choose the same server for a connection that only the other one has seen. In FULLNAT none survives a move, as
# nobody else knows its local port: there NOT_IN_FULLNAT is not limited where two nodes take turns, and where addresses
# move once, requests may fail that were under way, but none later.
LIMITS = {
    "unplanned": {"outage_ms": 450, "broken": 0, "two_owners_ms": 0},
    "disagreement": {"outage_ms": 450, "broken": 0},
    "no_node": {"two_owners_ms": 0},
    "planned": {"failed": 0, "broken": 0, "two_owners_ms": 0},
    "preemption": {"outage_ms": 50, "failed": 0, "broken": 0, "two_owners_ms": 0},
    "nothing_moves": {"failed": 0, "broken": 0, "two_owners_ms": 0, "moves": 0},
    "busy": {"broken": 0, "two_owners_ms": 0, "moves": 0},
    "busy_10ms": {"broken": 0},
    "keepalived": {},
}
FOR_ALL = {"bad_adverts": 0}
MOVE_TAKES = 0.1  # seconds around the first advert of the new owner
FOR_HASHING = ("failed", "broken")
NOT_IN_FULLNAT = ("failed", "broken")
MOVES = ("unplanned", "planned", "preemption")  # of the addresses, once, from one owner to the next
SAYS = {"outage_ms": "the service was away for {value} ms, at most {limit}", "failed": "{value} requests failed",
        "failed_later": "{value} requests failed that were not under way when the addresses moved",
        "broken": "{value} long connections broke", "two_owners_ms": "two nodes owned an address for {value} ms",
        "moves": "the addresses moved {value} times", "bad_adverts": "{value} adverts were malformed"}
COLUMNS = (("kind", 22), ("outage_ms", 9), ("ping_ms", 8), ("requests", 8), ("failed", 6), ("connections", 11),
           ("broken", 6), ("two_owners_ms", 13), ("moves", 5), ("largest_advert_gap_ms", 21),
           ("largest_lateness_ms", 19))


def outage_limit(interval_ms):
    """Master-down of a router of priority 100 is 3.61 intervals; and time to notice and to begin."""
    return 450 if interval_ms == 100 else round(3.61 * interval_ms + 89)


def milliseconds(seconds):
    return round(seconds * 1000, 1)


def make_row(kind, scene, repeat, load, watch):
    """The figures of a drill; `load` knows since when they count."""
    interval = scene.settings.interval_ms
    row = {
        "kind": kind.name, **outage_figures(scene, load),
        "requests": len(load.requests), "failed": sum(load.failures.values()),
        "failed_later": failed_later(scene, load, watch),
        "connections": len(load.crossed), "broken": len(load.broken),
        **wire_figures(watch, ROUTER_ID, scene.settings.addresses, interval, load.begin),
        "repeat": repeat, "interval_ms": interval, "scheduler": scene.settings.scheduler,
        "mode": scene.settings.mode, "port": scene.settings.port, "families": list(scene.settings.families),
        "bad_adverts": len(list(watch.bad_adverts(ROUTER_ID))),
        "client_late_ms": milliseconds(load.largest_pause),
    }
    row["notes"] = scene.notes + notes_of(load, watch)
    return row


def failed_later(scene, load, watch):
    """Requests that failed without having been under way when the addresses moved, or just then."""
    interval = scene.settings.interval_ms / 1000
    moved = measure.move_times(list(watch.adverts(ROUTER_ID)), 3 * interval, load.begin)
    return sum(1 for started, ended, error in load.requests
               if error and not any(started <= time + MOVE_TAKES and ended >= time - MOVE_TAKES for time, _ in moved))


def largest_lateness(nodes):
    """Of an advert, as ballastd itself knows it since its start."""
    return max((int(router.get("largestLatenessMicroseconds", 0)) / 1000 for node in nodes
                for router in node.instance().get("routers", [])), default=None)


def outage_figures(scene, load):
    if not scene.windows:
        return {"outage_ms": milliseconds(load.outage()), "ping_ms": milliseconds(load.outage("pings"))}
    each = [max((length for outages in load.outages("probes").values() for start, length in outages
                 if begin <= start < end), default=0.0) for begin, end in scene.windows]
    return {"outage_ms": milliseconds(max(each)), "ping_ms": milliseconds(load.outage("pings")),
            "outages_ms": [milliseconds(length) for length in each]}


def notes_of(load, watch):
    notes = [f"{count} x {error}" for error, count in load.failures.most_common(3)]
    notes += load.broken[:3] + sorted(set(watch.bad_adverts(ROUTER_ID)))[:3]
    for vip, outages in load.outages("probes").items():
        more = sorted(outages, key=lambda outage: -outage[1])[1:4]
        if more:
            notes.append(f"further outages of {vip}: " + ", ".join(
                f"{milliseconds(length)} ms at {start - load.begin:.2f} s" for start, length in more))
    return notes


def keepalived_row(kind, interval_ms, repeat, load, watch):
    """It serves nothing but pings."""
    return {"kind": kind.name, "outage_ms": milliseconds(load.outage("pings")),
            "ping_ms": milliseconds(load.outage("pings")), "requests": 0, "failed": 0, "connections": 0, "broken": 0,
            **wire_figures(watch, keepalived.ROUTER_ID, [keepalived.VIP4], interval_ms, load.begin),
            "repeat": repeat, "interval_ms": interval_ms, "client_late_ms": milliseconds(load.largest_pause),
            "notes": []}


def wire_figures(watch, router_id, addresses, interval_ms, begin):
    adverts = list(watch.adverts(router_id))
    claims = [claim for claim in watch.claims(addresses) if claim.time >= begin]
    return {"two_owners_ms": milliseconds(measure.two_owners(claims, ASK_SECONDS)),
            "moves": measure.moves(adverts, 3 * interval_ms / 1000, begin),
            "largest_advert_gap_ms": milliseconds(measure.advert_gap(adverts, begin))}


def limits_for(kind, row):
    """Figure -> the most that it may be."""
    limits = dict(LIMITS[kind.limits], **({} if kind.keepalived else FOR_ALL))
    if kind.limits in ("unplanned", "disagreement"):
        limits["outage_ms"] = outage_limit(row["interval_ms"])
    if row.get("mode") == "fullnat" and kind.limits in (*MOVES, "disagreement"):
        limits = {name: limit for name, limit in limits.items() if name not in NOT_IN_FULLNAT}
        limits.update({"failed_later": 0} if kind.limits in MOVES else {})
    elif row.get("scheduler") != "mh":
        limits = {name: limit for name, limit in limits.items() if name not in FOR_HASHING}
    return limits


def judge(row, limits):
    """What breaks a limit, in words."""
    if "error" in row:
        return [f"{row['kind']}: {row['error']}"]
    return [f"{row['kind']}: " + SAYS[name].format(value=row[name], limit=limit) + _and_why(row)
            for name, limit in limits.items() if row[name] > limit]


def _and_why(row):
    return f" ({'; '.join(row['notes'])})" if row["notes"] else ""


# ---- for people

def heading():
    return "  ".join(f"{name:<{width}}" if name == "kind" else f"{name:>{width}}" for name, width in COLUMNS)


def line(row):
    if "error" in row:
        return f"{row['kind']:<22}  ERROR: {row['error']}"
    words = []
    for name, width in COLUMNS:
        value = row.get(name)
        text = "-" if value is None else str(value)
        words.append(f"{text:<{width}}" if name == "kind" else f"{text:>{width}}")
    return "  ".join(words)


def write_json(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        lines = ",\n  ".join(json.dumps(row) for row in rows)
        file.write(f'{{"benchmark": "drill",\n "rows": [\n  {lines}\n]}}\n')
