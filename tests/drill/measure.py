"""From what was seen to figures. Pure functions: times in seconds, results too.

- outage: a sample is lost when it had no answer within its patience. An outage lasts from the start of the first lost
  sample to the start of the next one that was answered.
- two owners: two nodes that own one address at the same time. A node owns it from its first claim (an answer to ARP or
  neighbour discovery, or an announcement) to its last; nodes are asked every 5 ms, and a silence of 50 ms ends it.
- advert gap: between two adverts of one node, with none of another in between, since that would be a move.
- moves: how often a node begins to send adverts.
"""

import collections
import itertools

SILENCE = 0.05


def outages(samples, patience, begin=0.0):
    """(start, length) of each; samples are (started, ended or None), in order. One without end lasts to the last."""
    found, since, started = [], None, None
    for started, ended in samples:
        if started < begin:
            continue
        lost = ended is None or ended - started > patience
        if lost and since is None:
            since = started
        elif not lost and since is not None:
            found.append((since, started - since))
            since = None
    if since is not None:
        found.append((since, started - since))
    return found


def longest(found):
    return max((length for _, length in found), default=0.0)


def merge(spans):
    """Spans that touch or overlap become one."""
    merged = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([begin, end])
    return merged


def spans_of(times, silence):
    """Times, in order, that follow each other within `silence` are one span; one alone has no length."""
    spans = []
    for time in times:
        if spans and time - spans[-1][1] <= silence:
            spans[-1][1] = time
        else:
            spans.append([time, time])
    return spans


def overlap(mine, theirs):
    """Spans in which both are."""
    return [(max(a[0], b[0]), min(a[1], b[1])) for a in mine for b in theirs if max(a[0], b[0]) < min(a[1], b[1])]


def two_owners(claims, ask_seconds, silence=SILENCE):
    """For how long two nodes owned one address, summed over time; several addresses at once count once."""
    times = collections.defaultdict(lambda: collections.defaultdict(list))
    for claim in claims:
        times[claim.address][claim.node].append(claim.time)
    both = []
    for nodes in times.values():
        spans = {node: spans_of(sorted(seen), silence) for node, seen in nodes.items()}
        for one, other in itertools.combinations(spans.values(), 2):
            both += overlap(_at_least(one, other, ask_seconds), _at_least(other, one, ask_seconds))
    return sum(end - begin for begin, end in merge(both))


def _at_least(spans, others, least):
    """A stray claim in the time of another owner has the length of one question."""
    return [(begin, end if end > begin or not any(a <= begin <= b for a, b in others) else begin + least)
            for begin, end in spans]


def advert_gap(adverts, begin=0.0):
    """The longest, over all nodes and families."""
    gap, last = 0.0, {}
    for advert in adverts:
        if advert.time < begin:
            continue
        before = last.get(advert.family)
        if before and before.node == advert.node and before.priority > 0:
            gap = max(gap, advert.time - before.time)
        last[advert.family] = advert
    return gap


def move_times(adverts, silence, begin=0.0):
    """When a node begins to send adverts, or does so again after `silence`: in order, for all families."""
    last, found = {}, []
    for advert in adverts:
        key = (advert.family, advert.node)
        if advert.priority > 0 and advert.time >= begin and advert.time - last.get(key, float("-inf")) > silence:
            found.append((advert.time, advert.family))
        # After a release it begins anew.
        last[key] = advert.time if advert.priority > 0 else float("-inf")
    return found


def moves(adverts, silence, begin=0.0):
    """How often a node begins to send adverts; the most of any family."""
    return max(collections.Counter(family for _, family in move_times(adverts, silence, begin)).values(), default=0)
