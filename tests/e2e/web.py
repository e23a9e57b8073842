"""Web traffic of a client: who answers, big files, and many requests."""

import collections
import hashlib
import re

from lab import in_url

BIG = 100 * 1000 * 1000


def answers(lab, vip, count, port=80, client="client", path="/name"):
    """Answer -> how often. One curl, but a connection for each request: it is connections that are shared out."""
    urls = [f"http://{in_url(vip)}:{port}{path}"] * count
    out = lab.exec(client, "curl", "-sS", "--fail-early", "--max-time", 10, "-H", "Connection: close",
                   *urls, timeout=60).stdout
    return collections.Counter(out.split("\n")[:-1])


def big_file(lab, size=BIG, name="big"):
    """What goes up and down; the servers have it as /big."""
    path = lab.dir / name
    if not path.exists():
        block = bytes(range(251)) * 4000  # no power of two, so that a lost or doubled block is seen
        path.write_bytes((block * (size // len(block) + 1))[:size])
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def storm(lab, vip, seconds=3, port=80, connections=50):
    """wrk with a connection for each request; (requests, errors)."""
    out = lab.exec("client", "wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-H",
                   "Connection: close", f"http://{in_url(vip)}:{port}/name", timeout=seconds + 60).stdout
    requests = int(re.search(r"(\d+) requests in", out)[1])
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return requests, (sum(map(int, errors.groups())) if errors else 0) + (int(bad[1]) if bad else 0)
