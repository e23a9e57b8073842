"""The client's traffic (client.py), started in its namespace, and what its report says."""

import collections
import json
import secrets
import time

from lab import ROOT, wait_until

from . import measure


class ClientLoad:
    """`with ClientLoad(pair, vips, ...) as load: load.wait_steady(); ...; load.result`.

    `seconds` is how long it is expected to last: the downloads are made to take that long. None: no requests and no
    downloads, only pings. `grace`: for how long a download may be late before it counts as broken.
    """

    def __init__(self, pair, vips, seconds, downloads=24, grace=20):
        self.pair, self.result = pair, None
        self.report = pair.dir / f"client-{secrets.token_hex(3)}.json"
        self.words = ["/usr/bin/python3", "-B", ROOT / "tests" / "drill" / "client.py", "--report", self.report]
        for vip in vips:
            self.words += ["--vip", vip]
        if seconds is None:
            self.words += ["--probe-interval", 0, "--request-interval", 0, "--downloads", 0]
        else:
            self.words += ["--downloads", downloads, "--download-seconds", seconds, "--content", pair.dir / "big",
                           "--grace", grace]

    def __enter__(self):
        self.process = self.pair.spawn("client", self.report.stem, *self.words)
        return self

    def wait_steady(self, seconds=15):
        def steady():
            if not self.process.running():
                raise RuntimeError(f"{self.process.name} ended: {self.process.output()}")
            return "steady" in self.process.output()

        wait_until(steady, seconds, "a second in which the client lost nothing")

    def __exit__(self, kind, *_):
        self.process.stop(seconds=2 if kind else 150)
        if kind is None:
            self.result = Result(json.loads(self.report.read_text()))


class Result:
    """Figures from `begin` on, a time.monotonic()."""

    def __init__(self, report):
        self.report, self.patience, self.begin = report, report["patience"], 0.0

    def since(self, begin):
        self.begin = begin
        return self

    def outages(self, kind, until=float("inf")):
        """VIP -> its outages; `kind` is probes or pings."""
        return {vip: measure.outages([sample for sample in samples if sample[0] < until], self.patience, self.begin)
                for vip, samples in self.report[kind].items()}

    def outage(self, kind="probes", until=float("inf")):
        """The longest, for any VIP."""
        return max(map(measure.longest, self.outages(kind, until).values()), default=0.0)

    @property
    def requests(self):
        """Those that were not over yet."""
        return [request for request in self.report["requests"] if request[1] >= self.begin]

    @property
    def failures(self):
        return collections.Counter(error for _, _, error in self.requests if error)

    @property
    def connections(self):
        """Downloads that had begun to flow."""
        return [each for each in self.report["downloads"] if each["ended"] >= self.begin and each["bytes"]]

    @property
    def broken(self):
        return [f"{each['vip']} after {each['ended'] - self.begin:.2f} s: {each['error']}"
                for each in self.connections if each["error"]]

    @property
    def crossed(self):
        """Downloads that were under way at `begin`."""
        return [each for each in self.connections if each["started"] < self.begin]

    @property
    def largest_pause(self):
        """How late the client itself was, at most: the precision of the outage."""
        return max((late for due, late in self.report["late"] if due >= self.begin), default=0.0)


def hold(seconds):
    """Lets the load run."""
    time.sleep(seconds)
