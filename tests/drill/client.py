#!/usr/bin/env python3
"""The client of a drill: steady traffic to the VIPs, each bit of it with its time and its end. Ends by SIGTERM.

Four streams for each VIP, all from one thread, on absolute schedules:

- probes: a TCP connection is opened, and closed by reset as soon as it is there. Each has `--patience` seconds, less
  than the second after which a SYN is sent again: so a probe that is lost says when it was lost.
- pings: an echo request, to the same purpose; the load balancer itself answers it.
- requests: a short GET on a connection of its own, with all that TCP does to get it through, for up to 3 s.
- downloads: `--downloads` of them all the time, of a length that takes `--download-seconds` at `--rate` bytes a second,
  each byte compared.

It writes "steady" when for a second every probe was answered and every download runs. At SIGTERM nothing new begins,
what is under way ends, each download within `--grace` seconds of when it should; the report is then written, times by
the monotonic clock.
"""

import argparse
import collections
import errno
import heapq
import itertools
import json
import os
import resource
import select
import signal
import socket
import struct
import time

LONGEST_RUN_SECONDS = 600
REQUEST_SECONDS = 3.0
now = time.monotonic


class Loop:
    """Descriptors and timers. Handlers are called with nothing; who is done forgets its descriptor."""

    def __init__(self):
        self.poll, self.handlers, self.timers = select.epoll(), {}, []
        self.order = itertools.count()

    def at(self, when, callback):
        heapq.heappush(self.timers, (when, next(self.order), callback))

    def watch(self, made, events, handler):
        if made.fileno() in self.handlers:
            self.poll.modify(made, events)
        else:
            self.poll.register(made, events)
        self.handlers[made.fileno()] = handler

    def forget(self, made):
        if self.handlers.pop(made.fileno(), None):
            self.poll.unregister(made)

    def turn(self):
        wait = self.timers[0][0] - now() if self.timers else 0.1
        for descriptor, _ in self.poll.poll(min(max(wait, 0.0), 0.1)):
            if handler := self.handlers.get(descriptor):
                handler()
        while self.timers and self.timers[0][0] <= now():
            heapq.heappop(self.timers)[2]()


def family_of(vip):
    return socket.AF_INET6 if ":" in vip else socket.AF_INET


class Connection:
    """One TCP connection to a VIP. A subclass says what happens on it and calls finish() once."""

    def __init__(self, loop, vip, patience):
        self.loop, self.vip, self.started, self.ended, self.error = loop, vip, now(), None, None
        self.stage = "connect"
        self.socket = socket.socket(family_of(vip), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        result = self.socket.connect_ex((vip, 80))
        if result not in (0, errno.EINPROGRESS):
            self.finish(os.strerror(result))
            return
        loop.watch(self.socket, select.EPOLLOUT, self._connected)
        if patience:
            loop.at(self.started + patience, self._out_of_time)

    def _connected(self):
        if problem := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.finish(os.strerror(problem))
        else:
            self.connected()

    def _out_of_time(self):
        if self.socket:
            self.finish("timeout")

    def say(self, request):
        self.stage = "response"
        try:
            self.socket.send(request)
            self.loop.watch(self.socket, select.EPOLLIN, self._readable)
        except OSError as problem:
            self.finish(os.strerror(problem.errno))

    def _readable(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as problem:
            self.finish(os.strerror(problem.errno))
            return
        self.received(data)

    def finish(self, problem=None):
        self.ended = now()
        self.error = f"{self.stage}: {problem}" if problem else None
        self.loop.forget(self.socket)
        self.socket.close()
        self.socket = None
        self.over()

    def over(self):
        """It has ended; for a subclass."""


class Probe(Connection):
    def connected(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.finish()

    def record(self):
        return [self.started, None if self.error else self.ended]


class Request(Connection):
    MESSAGE = b"GET /name HTTP/1.1\r\nHost: ballast\r\nConnection: close\r\n\r\n"
    answer = b""

    def connected(self):
        self.say(self.MESSAGE)

    def received(self, data):
        self.answer += data
        if data:
            return
        good = self.answer.startswith(b"HTTP/1.1 200") and self.answer.endswith(b"\n")
        self.finish(None if good else f"{len(self.answer)} bytes: {self.answer[:20]!r}")

    def record(self):
        return [self.started, self.ended, self.error]


class Download(Connection):
    """A response that takes long, compared with the file that it comes from."""

    def __init__(self, loop, vip, plan, on_end):
        self.plan, self.on_end, self.header, self.received_bytes = plan, on_end, b"", -1
        super().__init__(loop, vip, None)

    def connected(self):
        self.say(f"GET /slow?rate={self.plan.rate} HTTP/1.1\r\nHost: ballast\r\nConnection: close\r\n"
                 f"Range: bytes=0-{self.plan.length - 1}\r\n\r\n".encode())

    def received(self, data):
        if not data:
            self.finish(f"ended after {max(self.received_bytes, 0)} of {self.plan.length} bytes")
            return
        if self.received_bytes < 0:
            self.header += data
            head, end, data = self.header.partition(b"\r\n\r\n")
            if end or len(self.header) > 8192:
                self._content_begins(head)
            if self.received_bytes < 0:
                return
        self._content(data)

    def _content_begins(self, head):
        if head.startswith(b"HTTP/1.1 206"):
            self.received_bytes = 0
        else:
            self.finish(f"answer {head[:20]!r}")

    def _content(self, data):
        at = self.received_bytes
        if data != self.plan.content[at:at + len(data)]:
            self.finish(f"wrong content after {at} bytes")
            return
        self.received_bytes += len(data)
        if self.received_bytes == self.plan.length:
            self.finish()

    def over(self):
        self.on_end(self)

    def record(self):
        return {"vip": self.vip, "started": self.started, "ended": self.ended, "bytes": max(self.received_bytes, 0),
                "error": self.error}


class Pinger:
    """Echo requests to one VIP, over a raw socket."""

    def __init__(self, loop, vip):
        self.vip, self.is_six = vip, ":" in vip
        protocol = socket.IPPROTO_ICMPV6 if self.is_six else socket.IPPROTO_ICMP
        self.socket = socket.socket(family_of(vip), socket.SOCK_RAW, protocol)
        self.socket.setblocking(False)
        self.mark = os.urandom(2)
        self.records = []
        loop.watch(self.socket, select.EPOLLIN, self._readable)

    def send(self):
        number = len(self.records)
        self.records.append([now(), None])
        body = self.mark + struct.pack("!HI", number & 0xFFFF, number)
        kind = 128 if self.is_six else 8
        sum_ = 0 if self.is_six else checksum(struct.pack("!BBH", kind, 0, 0) + body)
        try:
            self.socket.sendto(struct.pack("!BBH", kind, 0, sum_) + body, (self.vip, 0))
        except OSError:
            pass  # no neighbour: it counts as lost

    def _readable(self):
        try:
            while True:
                data = self.socket.recv(2048)
                message = data if self.is_six else data[(data[0] & 15) * 4:]
                if len(message) >= 12 and message[0] == (129 if self.is_six else 0) and message[4:6] == self.mark:
                    record = self.records[struct.unpack_from("!I", message, 8)[0]]
                    record[1] = record[1] or now()
        except BlockingIOError:
            pass


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


Plan = collections.namedtuple("Plan", "rate length content")


class Client:
    def __init__(self, options):
        self.options, self.loop = options, Loop()
        self.probes, self.requests, self.downloads, self.late = {}, [], [], []
        self.pingers = {vip: Pinger(self.loop, vip) for vip in options.vip} if options.ping_interval else {}
        self.is_stopping = self.is_steady = False
        content = open(options.content, "rb").read() if options.downloads else b""
        self.plan = Plan(options.rate, min(len(content), int(options.rate * options.download_seconds)), content)
        self.began = now()

    def schedule(self, interval, phase, what):
        """Calls what() every `interval` seconds; what was missed is not made up for."""
        due = self.began + phase

        def turn():
            nonlocal due
            if self.is_stopping:
                return
            if (late := now() - due) > 0.01:
                self.late.append([due, late])
            what()
            due = max(due + interval, now() - interval)
            self.loop.at(due, turn)

        self.loop.at(due, turn)

    def start(self):
        options, count = self.options, len(self.options.vip)
        for number, vip in enumerate(options.vip):
            share = number / count
            self.probes[vip] = []
            if options.probe_interval:
                self.schedule(options.probe_interval, share * options.probe_interval, lambda vip=vip: self.probe(vip))
            if options.request_interval:
                self.schedule(options.request_interval * count, share * options.request_interval,
                              lambda vip=vip: self.requests.append(Request(self.loop, vip, REQUEST_SECONDS)))
            if options.ping_interval:
                self.schedule(options.ping_interval, share * options.ping_interval, self.pingers[vip].send)
        for number in range(options.downloads):
            vip = options.vip[number % count]
            self.loop.at(self.began + 0.01 * number, lambda vip=vip: self.download(vip))
        self.schedule(0.1, 0.0, self.look_whether_steady)

    def probe(self, vip):
        self.probes[vip].append(Probe(self.loop, vip, self.options.patience))

    def download(self, vip):
        if not self.is_stopping:
            self.downloads.append(Download(self.loop, vip, self.plan, self.download_again))

    def download_again(self, ended):
        self.loop.at(now() + 0.05, lambda: self.download(ended.vip))

    def look_whether_steady(self):
        settled, recent = now() - self.options.patience, now() - 1.0
        if self.is_steady or self.began > recent - 0.2:
            return
        samples = [probe.record() for probes in self.probes.values() for probe in probes]
        samples += [record for pinger in self.pingers.values() for record in pinger.records]
        lost = any(recent < started < settled and ended is None for started, ended in samples)
        if not lost and all(each.received_bytes > 0 for each in self.downloads):
            self.is_steady = True
            print("steady", flush=True)

    def under_way(self):
        return [each for each in self.requests + self.downloads if each.ended is None]

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "is_stopping", True))
        self.start()
        while not self.is_stopping and now() - self.began < LONGEST_RUN_SECONDS:
            self.loop.turn()
        self.is_stopping, stopped = True, now()
        to_come = max((self.plan.length - each.received_bytes for each in self.downloads if each.ended is None),
                      default=0)
        grace = to_come / self.options.rate + self.options.grace
        while self.under_way() and now() - stopped < grace:
            self.loop.turn()
        settled = now() + self.options.patience
        while now() < settled:
            self.loop.turn()
        for each in self.under_way():
            each.finish(f"not over {grace:.0f} s after the end")
        self.report(stopped)

    def report(self, stopped):
        with open(self.options.report, "w", encoding="utf-8") as file:
            json.dump({
                "began": self.began, "stopped": stopped, "patience": self.options.patience,
                "probes": {vip: [each.record() for each in probes] for vip, probes in self.probes.items()},
                "pings": {vip: pinger.records for vip, pinger in self.pingers.items()},
                "requests": [each.record() for each in self.requests],
                "downloads": [each.record() for each in self.downloads], "late": self.late}, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vip", action="append", required=True)
    parser.add_argument("--probe-interval", type=float, default=0.005, help="for each VIP; 0: none")
    parser.add_argument("--ping-interval", type=float, default=0.005, help="for each VIP; 0: none")
    parser.add_argument("--request-interval", type=float, default=0.005, help="over all VIPs; 0: none")
    parser.add_argument("--patience", type=float, default=0.1)
    parser.add_argument("--downloads", type=int, default=24)
    parser.add_argument("--download-seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--grace", type=float, default=20)
    parser.add_argument("--content", help="the file that is downloaded")
    parser.add_argument("--report", required=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
    Client(parser.parse_args()).run()


main()
