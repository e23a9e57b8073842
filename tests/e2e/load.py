#!/usr/bin/env python3
"""Steady load of short HTTP requests, each on a connection of its own, each counted; ends by SIGTERM or after 120 s.

The report says how many there were, which failed and why, and the longest time in which nothing succeeded.
"""

import argparse
import collections
import json
import signal
import socket
import threading
import time

LONGEST_RUN_SECONDS = 120
REQUEST = b"GET /name HTTP/1.1\r\nHost: ballast\r\nConnection: close\r\n\r\n"


def request(vip, timeout):
    """The name of the server that answered, or an exception."""
    with socket.create_connection((vip, 80), timeout=timeout) as connection:
        connection.sendall(REQUEST)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"answer {answer[:40]!r}")
    return answer.rsplit(b"\r\n\r\n", 1)[-1].strip().decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vip", action="append", required=True)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.002)
    parser.add_argument("--timeout", type=float, default=3.0)
    parser.add_argument("--report", required=True)
    options = parser.parse_args()

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    lock = threading.Lock()
    answers, failures, successes = collections.Counter(), [], []
    began = time.monotonic()

    def work(number):
        turn = number
        while not stop.is_set() and time.monotonic() - began < LONGEST_RUN_SECONDS:
            vip = options.vip[turn % len(options.vip)]
            turn += 1
            started = time.time()
            try:
                name, error = request(vip, options.timeout), None
            except (OSError, ValueError) as problem:
                name, error = None, f"{type(problem).__name__}: {problem}"
            now = time.monotonic() - began
            with lock:
                if error:
                    failures.append({"started": started, "vip": vip, "error": error})
                else:
                    answers[name] += 1
                    successes.append(now)
            stop.wait(options.pause)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(options.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    successes.sort()
    gap = max((b - a for a, b in zip(successes, successes[1:])), default=0.0)
    with open(options.report, "w", encoding="utf-8") as file:
        json.dump({"requests": len(successes) + len(failures), "failed": len(failures), "failures": failures[:1000],
                   "answers": answers, "longest_gap_ms": round(gap * 1000)}, file)


main()
