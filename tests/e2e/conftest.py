"""Fixtures and options of the end-to-end tests; `/usr/bin/python3 -m pytest -s tests/e2e` runs all of them as root."""

import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lab import BIN, Lab  # noqa: E402

# What a program of ours never writes, however it is built.
FATAL = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer|Assertion .* failed|"
                   r"terminate called|PANIC")


def pytest_addoption(parser):
    parser.addoption("--port", choices=["af_xdp", "af_packet", "tap"], default="af_xdp", help="the kind of port")
    parser.addoption("--workers", type=int, default=1, help="forwarding threads")
    parser.addoption("--everyday", action="store_true", help="only tests that are marked so")


def pytest_configure(config):
    if os.geteuid() != 0:
        raise pytest.UsageError("the end-to-end tests make network namespaces: run them as root")
    if not (BIN / "ballast-dataplane").exists():
        raise pytest.UsageError(f"{BIN}/ballast-dataplane: not built: ./dev build, or set BALLAST_BIN")


def pytest_collection_modifyitems(config, items):
    if not config.option.everyday:
        return
    rest = [item for item in items if not item.get_closest_marker("everyday")]
    config.hook.pytest_deselected(items=rest)
    items[:] = [item for item in items if item.get_closest_marker("everyday")]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.failed_call = report.failed


def faults_of(lab):
    """What no run may end with: a daemon that nobody ended, or the report of an assertion or sanitizer."""
    for process in lab.all_processes:
        if not process.name.startswith("ballast"):
            continue
        if not process.ended_by_us and not process.running():
            yield f"{process.name}[{process.pid}] ended by itself: exit {process.popen.returncode}"
    for log in sorted(lab.dir.glob("ballast*.log")):
        if match := FATAL.search(log.read_text(errors="replace")):
            yield f"{log.name}: {match[0]}"


def finish(lab):
    """Ends both daemons the polite way: that has to work after every test."""
    faults = list(faults_of(lab))
    for name in ("ballastd", "ballast-dataplane"):
        process = lab.processes.get(name)
        if process and process.running():
            code = process.stop(seconds=20)
            if code != 0:
                faults.append(f"{name}[{process.pid}]: exit {code} after SIGTERM")
    return faults + [fault for fault in faults_of(lab) if fault not in faults]


def show_logs(lab):
    for log in sorted(lab.dir.glob("*.log")):
        if text := log.read_text(errors="replace").strip():
            print(f"\n---- {log.name}\n" + "\n".join(text.splitlines()[-60:]))


def new_lab(request, kind=Lab, **options):
    """The body of a fixture: a lab, with the judgement at its end."""
    with kind(port=request.config.option.port, workers=request.config.option.workers, **options) as lab:
        yield lab
        faults = finish(lab)
        if faults or getattr(request.node, "failed_call", False):
            show_logs(lab)
        assert not faults, faults


@pytest.fixture
def lab(request):
    """A network of its own for one test; nothing runs in it yet."""
    yield from new_lab(request)


@pytest.fixture(scope="module")
def shared_lab(request):
    """One network for all tests of a file, with everything running: for tests that leave it as they found it."""
    for made in new_lab(request):
        made.start()
        yield made
