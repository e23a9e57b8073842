#!/usr/bin/python3
"""Includes point one way: which folder may include which, and that only dataplane/dpdk knows DPDK.

Also: headers say #pragma once, and there is no folder called common or utils.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
EVERYONE = {"dataplane/packet"}
ALLOWED = {
    "dataplane/packet": set(),
    "dataplane/scheduler": set(),
    "dataplane/connection": set(),
    "dataplane/rewrite": set(),
    "dataplane/neighbor": set(),
    "dataplane/service": {"dataplane/scheduler", "dataplane/connection", "dataplane/neighbor", "dataplane/rewrite"},
    "dataplane/api": set(),
    "dataplane/world": {"dataplane/api", "dataplane/service", "dataplane/scheduler", "dataplane/neighbor",
                        "dataplane/connection", "dataplane/rewrite"},
    "dataplane/pipeline": {"dataplane/service", "dataplane/scheduler", "dataplane/connection", "dataplane/neighbor",
                           "dataplane/rewrite", "dataplane/api/lease_page.h"},
    "dataplane/dpdk": {"dataplane/pipeline", "dataplane/world", "dataplane/service", "dataplane/scheduler",
                       "dataplane/connection", "dataplane/neighbor", "dataplane/api", "toml_reader"},
    "toml_reader": set(),
    "healthcheck": set(),
    "vrrp": set(),
    "control": {"vrrp", "healthcheck", "dataplane/api", "toml_reader"},
}


def room_of(path):
    """The folder of the table that a path belongs to, longest first."""
    text = str(path)
    return next((room for room in sorted(ALLOWED, key=len, reverse=True) if text.startswith(room + "/")), None)


def faults_of(path):
    room = room_of(path)
    text = (ROOT / path).read_text()
    if path.suffix == ".h" and "#pragma once" not in text:
        yield f"{path}: no #pragma once"
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"#\s*include\s*<rte_", line) and room != "dataplane/dpdk":
            yield f"{path}:{number}: only dataplane/dpdk includes rte_*.h"
        match = re.match(r'#\s*include\s*"([^"]+)"', line)
        if not match:
            continue
        target = match[1]
        theirs = room_of(target)
        if theirs is None:
            yield f'{path}:{number}: "{target}": include by path from the root'
        elif theirs not in {room} | EVERYONE and target not in ALLOWED[room] and theirs not in ALLOWED[room]:
            yield f'{path}:{number}: {room} must not include {theirs} ("{target}")'


def main():
    faults = []
    for path in sorted(ROOT.glob("**/*")):
        relative = path.relative_to(ROOT)
        if relative.parts[0] in ("build", ".git"):
            continue
        if path.is_dir() and path.name in ("common", "utils"):
            faults.append(f"{relative}: there is no folder of this name")
        if path.suffix in (".h", ".cc") and room_of(relative):
            faults.extend(faults_of(relative))
    print("\n".join(faults) or "includes point the right way")
    sys.exit(1 if faults else 0)


main()
