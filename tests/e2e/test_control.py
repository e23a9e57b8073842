"""What an operator does to ballastd while traffic goes on: not one request may be lost."""

import json
import signal
import time

import pytest

from lab import BIN, figure, run, wait_until


def assert_nothing_lost(test, result, least=100, **more):
    figure(test=test, requests=result["requests"], failed=result["failed"], longest_gap_ms=result["longest_gap_ms"],
           **more)
    assert result["failed"] == 0, result["failures"][:5]
    assert result["requests"] > least


def both(lab, server):
    """Both addresses of rs1, rs2, ..."""
    host = 10 + int(server[2:])
    return f"10.9.0.{host}", f"fd00:9::{host}"


def opened(lab, server):
    rows = lab.server_rows()
    return sum(int(rows[address]["counters"]["connections"]) for address in both(lab, server) if address in rows)


def wait_for_connections(lab, server, least=5):
    before = opened(lab, server)
    wait_until(lambda: opened(lab, server) >= before + least, 20, f"connections to {server}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_restart_of_ballastd_loses_nothing(lab, number):
    lab.start()
    restarts = 3
    with lab.load() as load:
        for _ in range(restarts):
            old = lab.processes["ballastd"]
            code = old.stop(number)
            assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            time.sleep(0.3)  # of load without a control daemon
            lab.start_ballastd()
            wait_until(lambda: lab.ctl_json("status")["dataplane"]["inSync"], 10, "the dataplane to be in sync")
            wait_for_connections(lab, "rs1")
    assert_nothing_lost(f"restart_{number.name}", load.result, restarts=restarts)


def test_a_server_that_is_down_stays_down_over_a_restart_and_overrides_stay(lab):
    lab.start()
    lab.ctl("server", "drain", "web", "10.9.0.11")
    lab.ctl("server", "disable", "web", "fd00:9::11")
    lab.processes["nginx-rs2"].stop(signal.SIGKILL)
    wait_until(lambda: {lab.server_rows()[address]["health"] for address in both(lab, "rs2")} == {"DOWN"}, 20,
               "rs2 to be down")
    with lab.load() as load:
        for number in (signal.SIGTERM, signal.SIGKILL):
            lab.processes["ballastd"].stop(number)
            lab.start_ballastd()
            rows = lab.server_rows()
            assert rows["10.9.0.11"]["override"] == "DRAINED" and rows["fd00:9::11"]["override"] == "DISABLED"
            assert {rows[address]["health"] for address in both(lab, "rs2")} == {"DOWN"}
            assert rows["10.9.0.11"]["weight"] == rows["fd00:9::11"]["weight"] == 0
    assert set(load.result["answers"]) == {"rs3"}
    assert_nothing_lost("state_survives_restart", load.result, restarts=2)


def in_service(lab):
    """Addresses of the servers that are configured, once all of them are up: nothing is sent to one that is not."""
    rows = {address: row for address, row in lab.server_rows().items() if not row["removed"]}
    return set(rows) if {row["health"] for row in rows.values()} == {"UP"} else None


def test_reloads_that_add_remove_and_weigh_servers_lose_nothing(lab):
    plans = [
        {"servers": ["rs1"]},
        {"servers": ["rs1", "rs2", "rs3"]},
        {"servers": ["rs2", "rs3"], "scheduler": "wrr", "weights": {"rs2": 5}},
        {"servers": ["rs3", "rs1", "rs2"], "scheduler": "wrr", "weights": {"rs3": 0, "rs1": 3}},
        {"servers": ["rs3"], "scheduler": "rr"},
        {"servers": ["rs1", "rs2", "rs3"]},
    ]
    lab.start()
    reloads = 0
    with lab.load() as load:
        for turn, plan in enumerate(plans * 2):
            lab.write_ballast_toml(lab.service_toml(**plan))
            if turn % 2:
                lab.processes["ballastd"].popen.send_signal(signal.SIGHUP)
            else:
                lab.ctl("reload")
            reloads += 1
            wanted = {address for server in plan["servers"] for address in both(lab, server)}
            wait_until(lambda: in_service(lab) == wanted, 10, "the reload, and the checks of new servers")
            busy = next(name for name in plan["servers"] if plan.get("weights", {}).get(name, 1) > 0)
            wait_for_connections(lab, busy)
    assert_nothing_lost("reload", load.result, reloads=reloads)


def test_drain_disable_and_enable_lose_nothing(lab):
    lab.start()
    changes = 0
    with lab.load() as load:
        for word in ("drain", "disable", "enable", "disable", "drain", "enable"):
            for address in both(lab, "rs2"):
                lab.ctl("server", word, "web", address)
                changes += 1
            if word == "enable":
                wait_for_connections(lab, "rs2")
            else:
                before = opened(lab, "rs2")
                wait_for_connections(lab, "rs1", 20)
                assert opened(lab, "rs2") == before
    assert_nothing_lost("overrides", load.result, changes=changes)


# What is wrong, the line that says so, and words of the complaint.
MISTAKES = [
    ("a port out of range", 'listen = ["tcp/10.9.0.100:70000"]', "listen", ["70000", "1-65535"]),
    ("an unknown key", "sheduler = \"rr\"", "sheduler", ["scheduler"]),
    ("an unknown scheduler", 'scheduler = "fastest"', "scheduler", ["fastest", "rr"]),
    ("an unknown mode", 'mode = "nat64"', "mode", ["nat64"]),
    ("a wrong type", "mode = 3", "mode", ["mode"]),
    ("no TOML", "mode = = 3", "mode", []),
    ("a bad duration", 'check = { type = "tcp", interval = "2 lightyears" }', "check", ["2 lightyears"]),
    ("a weight out of range", 'server = [{ address = "10.9.0.11", weight = 70000 }]', "server", ["70000"]),
    ("an address that is none", 'server = [{ address = "10.9.0.999" }]', "server", ["10.9.0.999"]),
    ("one server twice", 'server = [{ address = "10.9.0.11" }, { address = "10.9.0.11" }]', "server", ["10.9.0.11"]),
]


def with_mistake(lab, line):
    """A configuration of which one key is replaced, or to which it is added; and the number of its line."""
    key = line.split()[0]
    keys = {"name": 'name = "web"', "listen": 'listen = ["tcp/10.9.0.100:80"]', "mode": 'mode = "dr"',
            "scheduler": 'scheduler = "rr"', "check": 'check = { type = "none" }',
            "server": 'server = [{ address = "10.9.0.12" }]'}
    keys[key] = line
    path = lab.write_ballast_toml("\n[[service]]\n" + "\n".join(keys.values()) + "\n")
    return path.read_text().splitlines().index(line) + 1


def in_force(lab):
    service = lab.ctl_json("service", "show", "web")["services"][0]
    for server in service["servers"]:
        for key in ("activeConnections", "inactiveConnections", "counters", "check"):
            server.pop(key)
    return service, lab.ctl_json("status")["dataplane"]["generation"]


def test_a_refused_configuration_changes_nothing_and_says_where_it_is_wrong(lab):
    lab.start()
    before = in_force(lab)
    with lab.load() as load:
        for what, line, _, words in MISTAKES:
            number = with_mistake(lab, line)
            refused = lab.ctl("reload", check=False)
            said = refused.stdout + refused.stderr
            print(f"{what}: {[each for each in said.splitlines() if '.toml:' in each][:1]}")
            assert refused.returncode == 1, what
            assert f"ballast.toml:{number}:" in said, (what, said)
            assert all(word in said for word in words), (what, said)
            for other in (["check"], ["diff"]):
                assert lab.ctl(*other, lab.dir / "ballast.toml", check=False).returncode == 1, (what, other)
            lab.processes["ballastd"].popen.send_signal(signal.SIGHUP)
            wait_until(lambda: f"ballast.toml:{number}:" in lab.processes["ballastd"].output(), 10, "the log to say so")
            assert in_force(lab) == before, what
            wait_for_connections(lab, "rs1", 20)
    status = lab.ctl_json("status")["configuration"]
    assert status["lastReload"] == "REFUSED" and status["lastReloadErrors"]
    assert_nothing_lost("refused_reload", load.result, reloads=2 * len(MISTAKES))


def test_diff_says_what_reload_then_does(lab):
    lab.start()
    lab.write_ballast_toml(lab.service_toml(weights={"rs2": 7}))
    diff = lab.ctl_json("diff", lab.dir / "ballast.toml")["changes"]
    assert len(diff) == 2 and all(change["to"] == "7" for change in diff), diff
    assert lab.ctl_json("reload")["changes"] == diff
    assert lab.ctl_json("diff", lab.dir / "ballast.toml").get("changes", []) == []
    assert lab.server_rows()["10.9.0.12"]["weight"] == 7


def test_ballastctl_tells_a_script_what_happened(lab):
    lab.write_dataplane_toml()
    file = lab.write_ballast_toml()

    def code(*words):
        done = lab.ctl(*words, check=False)
        with_json = lab.ctl(*words, "--json", check=False)
        assert with_json.returncode == done.returncode
        if done.returncode in (1, 3):
            assert done.stderr.startswith("ballastctl: ") and "\n" not in done.stderr.strip(), done.stderr
            assert json.loads(with_json.stdout)["error"]["exitCode"] == done.returncode
        return done.returncode

    running = (["status"], ["service", "list"], ["connection", "list"], ["drops"], ["checks"])
    for words in running + (["reload"], ["server", "drain", "web", "10.9.0.11"], ["diff", file]):
        assert code(*words) == 3, words  # nobody there
    assert code("check", file) == 0
    assert run(BIN / "ballastctl", check=False).returncode == 2
    assert lab.ctl("stauts", check=False).returncode == 2

    lab.start_servers()
    lab.socket.parent.mkdir()
    lab.spawn("lb", "ballastd", BIN / "ballastd", "-c", file)
    wait_until(lambda: lab.ctl("status", check=False).returncode == 4, 10, "ballastd without a dataplane")
    assert "not connected" in lab.ctl("status", check=False).stdout
    lab.start_dataplane()
    wait_until(lambda: lab.ctl("status", check=False).returncode == 0, 10, "ballastd to find the dataplane")
    for words in running:
        assert code(*words) == 0, words
    assert code("service", "show", "nothing") == 1
    assert code("server", "drain", "web", "10.9.0.99") == 1
    lab.wait_healthy()
    assert lab.who_answers() in lab.server_names
