"""Servers that fail under load, and come back."""

import re
import signal
import time
from datetime import datetime

from lab import figure, wait_until


def logged_at(lab, pattern):
    """The time, in seconds since 1970, of the last line of ballastd's log that matches; None if there is none."""
    lines = [line for line in lab.processes["ballastd"].output().splitlines() if re.search(pattern, line)]
    return datetime.fromisoformat(lines[-1].split()[0]).timestamp() if lines else None


def health(lab):
    return {address: row["health"] for address, row in lab.server_rows().items()}


def rs2_is(lab, state):
    return lambda: {health(lab)[address] for address in ("10.9.0.12", "fd00:9::12")} == {state}


def test_a_server_that_dies_gets_no_more_connections_and_comes_back(lab):
    lab.start()
    with lab.load() as load:
        killed = time.time()
        lab.processes["nginx-rs2"].stop(signal.SIGKILL)
        wait_until(rs2_is(lab, "DOWN"), 20, "rs2 to be down")
        down = max(logged_at(lab, rf"server {address} is down") for address in (r"10\.9\.0\.12", "fd00:9::12"))
        time.sleep(1)  # of load: as long as somebody would still be sent to the dead server
        lab.start_nginx("rs2")
        wait_until(rs2_is(lab, "UP"), 20, "rs2 to be up")
        served = int(lab.server_rows()["10.9.0.12"]["counters"]["connections"])
        wait_until(lambda: int(lab.server_rows()["10.9.0.12"]["counters"]["connections"]) > served + 3, 20,
                   "connections to rs2")
    result = load.result
    last = max((failure["started"] for failure in result["failures"]), default=killed)
    figure(test="server_dies", requests=result["requests"], failed=result["failed"],
           detected_ms=round((down - killed) * 1000), last_failure_after_log_ms=max(0, round((last - down) * 1000)))
    assert result["failed"] < 1000  # so that the list of failures is whole
    # The log line and the message to the dataplane are one step of ballastd; the bound is for slow machines only.
    assert last - down < 1.0
    assert all(failure["started"] >= killed - 0.5 for failure in result["failures"])


def test_a_status_that_is_not_expected_takes_a_server_out_without_a_failed_request(lab):
    lab.start()
    sick = lab.dir / "nginx-rs2" / "sick"
    with lab.load() as load:
        sick.touch()
        wait_until(rs2_is(lab, "DOWN"), 20, "rs2 to be down")
        checks = {row["address"]: row["lastResult"] for row in lab.ctl_json("checks")["checks"]}
        before = int(lab.server_rows()["10.9.0.12"]["counters"]["connections"])
        time.sleep(0.5)  # of load
        assert int(lab.server_rows()["10.9.0.12"]["counters"]["connections"]) == before
        sick.unlink()
        wait_until(rs2_is(lab, "UP"), 20, "rs2 to be up")
    assert "503" in checks["10.9.0.12"] and "503" in checks["fd00:9::12"]
    figure(test="status_503", requests=load.result["requests"], failed=load.result["failed"])
    assert load.result["requests"] > 50 and load.result["failed"] == 0, load.result["failures"][:5]


def test_without_any_server_clients_are_refused_at_once(lab):
    lab.start()
    for name in lab.server_names:
        (lab.dir / f"nginx-{name}" / "sick").touch()
    wait_until(lambda: set(health(lab).values()) == {"DOWN"}, 20, "all servers to be down")
    refused = lab.curl("http://10.9.0.100/name", check=False)
    assert refused.returncode == 7, refused  # curl: failed to connect
    assert lab.drops()["no_server"] >= 1
    assert "OUTAGE" in lab.ctl("status", check=False).stdout
