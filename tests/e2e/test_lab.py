"""The lab itself: two at once do not meet, and nothing stays behind."""

import glob
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from lab import PREFIX, ROOT, VIP4, VIP6, Lab, figure, run, wait_until
from modes_lab import CLIENTS, NODE, TUNNELS, ModesLab, six, vip, vips
from wire import ethernet, fragments, packet, raw_socket, udp


def traces(pid):
    """What a run of that process id has in the world: namespaces, files, processes that name them."""
    name = f"{PREFIX}-{pid}-"
    found = [line for line in run("ip", "netns", "list").stdout.splitlines() if line.startswith(name)]
    found += glob.glob(f"/tmp/{name}*")
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if name in text and int(path.parent.name) != os.getpid():
            found.append(text)
    return found


def test_two_labs_at_once_serve_each_its_own(lab, request):
    options = request.config.option
    lab.start()
    with Lab(port=options.port, workers=options.workers, servers=2) as other:
        other.start()
        for vip in (VIP4, VIP6):
            assert {lab.who_answers(vip) for _ in range(12)} == {"rs1", "rs2", "rs3"}
            assert {other.who_answers(vip) for _ in range(12)} == {"rs1", "rs2"}
    assert lab.who_answers() in lab.server_names  # the end of the other one took nothing from this one
    assert not [name for name in run("ip", "netns", "list").stdout.split() if name.startswith(other.id)]
    assert not other.dir.exists()


def start_demo(request, *words):
    options = request.config.option
    return subprocess.Popen([sys.executable, ROOT / "tests" / "e2e" / "demo.py", "--port", options.port, "--workers",
                             str(options.workers), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, text=True, start_new_session=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mark", ["== network", "== both daemons", "== killing"])
def test_an_interrupted_demo_leaves_nothing_behind(request, number, mark):
    demo = start_demo(request)
    try:
        for line in demo.stdout:
            if line.startswith(mark):
                break
        time.sleep(0.1)
        demo.send_signal(number)
        demo.send_signal(number)  # impatience
        rest = demo.communicate(timeout=60)[0]
    finally:
        demo.kill()
    assert demo.returncode == 130, rest
    wait_until(lambda: not traces(demo.pid), 10, "all traces to be gone")
    figure(test="interrupted_demo", signal=number.name, at=mark.strip("= ").replace(" ", "_"), left_behind=0)


def test_a_killed_demo_is_swept_by_the_next_run(request):
    demo = start_demo(request)
    wait_until(lambda: traces(demo.pid), 10, "the demo to begin")
    demo.kill()
    demo.communicate(timeout=60)
    with Lab(port=request.config.option.port, servers=1):
        wait_until(lambda: not traces(demo.pid), 10, "all traces to be gone")


def test_the_demo_shows_all_servers_and_the_takeover(request):
    demo = start_demo(request)
    out = demo.communicate(timeout=120)[0]
    assert demo.returncode == 0, out
    for vip in (VIP4, VIP6):
        lines = [line for line in out.splitlines() if line.strip().startswith(vip + " ") and " x " in line]
        assert len(lines) == 2 and "rs2" in lines[0] and "rs2" not in lines[1], out
    assert not traces(demo.pid)


# ---- the servers of tunnels, without a load balancer

def shim(mode, six_inside):
    """The protocol of the outer header, and what stands behind it."""
    inner = 41 if six_inside else 4
    if mode == "ipip":
        return inner, b""
    if mode == "gre":
        return 47, struct.pack("!HH", 0, 0x86DD if six_inside else 0x0800)
    return 17, bytes([0, inner, 0, 0])


@pytest.mark.parametrize("mode", TUNNELS)
def test_servers_take_off_what_tunnels_put_on(request, mode):
    with ModesLab(port=request.config.option.port, servers=1) as lab:
        lab.start_udp_echo("rs1", 53, vips(mode))
        macs = lab.mac("rs1", "eth1"), "02:00:00:00:00:01"
        with raw_socket(lab.ns("sw"), "v-rs1-lan") as wire:
            for to in vips(mode):
                own = CLIENTS["client"][six(to)]
                for outer in lab.addresses_of("rs1"):
                    source = NODE["lan"][six(outer)].split("/")[0]
                    with lab.client_socket(to, socket.SOCK_DGRAM) as client:
                        client.bind((own, 0))
                        inner = packet(own, to, 17, udp(own, to, client.getsockname()[1], 53, b"hello"))[1]
                        protocol, between = shim(mode, six(to))
                        payload = udp(source, outer, 50000, 6080, between + inner) if mode == "gue" else between + inner
                        wire.send(ethernet(*macs, *packet(source, outer, protocol, payload)))
                        assert client.recvfrom(100)[0] == b"rs1 hello", (to, outer)


@pytest.mark.parametrize("family", [4, 6])
def test_datagrams_cut_by_hand_arrive(request, family):
    with ModesLab(port=request.config.option.port, servers=1) as lab:
        to, own = vip("dr", family), CLIENTS["client"][family == 6]
        lab.start_udp_echo("rs1", 53, vips("dr"))
        macs = lab.mac("rs1", "eth0"), lab.mac("client", "eth0")
        with lab.client_socket(to, socket.SOCK_DGRAM) as client, raw_socket(lab.ns("client"), "eth0") as wire:
            client.bind((own, 0))
            text = bytes(range(200)) * 40
            for piece in fragments(own, to, udp(own, to, client.getsockname()[1], 53, text), 77)[::-1]:
                wire.send(ethernet(*macs, *piece))
            assert client.recv(65535) == b"rs1 " + text
