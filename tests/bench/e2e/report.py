"""Machine, rows and table, in the form in which the other benchmarks write them, for tests/bench/compare."""

import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _read(path):
    return pathlib.Path(path).read_text(encoding="utf-8").strip()


def describe_machine(core, hugepages):
    cpu = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    caches = [{"level": int(_read(index / "level")), "type": _read(index / "type"), "size": _read(index / "size"),
               "shared_by": _read(index / "shared_cpu_list")}
              for index in sorted(pathlib.Path(f"/sys/devices/system/cpu/cpu{core}/cache").glob("index*"))]
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], check=False,
                            capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu[1] if cpu else "unknown", "cores": os.cpu_count(), "tsc_ghz": round(_ghz(), 2),
            "caches": caches, "kernel": os.uname().release, "hugepages": hugepages,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "commit": commit}


def _ghz():
    """What /proc/cpuinfo says: the clock of the TSC on machines that do not change theirs, or do not tell."""
    clock = re.search(r"cpu MHz\s*: ([\d.]+)", _read("/proc/cpuinfo"))
    return float(clock[1]) / 1000 if clock else 0.0


class Report:
    def __init__(self, machine):
        self.machine, self.rows, self.failed = machine, [], False
        caches = " ".join(f"L{each['level']} {each['type']} {each['size']} (cores {each['shared_by']})"
                          for each in machine["caches"])
        print(f"{machine['cpu']}, {machine['cores']} cores, TSC {machine['tsc_ghz']:.2f} GHz, Linux "
              f"{machine['kernel']}\ncaches: {caches}\nhugepages: {machine['hugepages']}\n"
              f"{machine['date']} commit {machine['commit']}\n\n"
              "device  flows     Mpps    min    max   ns/pkt   floor    min    max   cycles  lost", flush=True)

    def add(self, device, flows, mpps, floor_mpps, lost_share):
        """`mpps` and `floor_mpps`: one value a run; `lost_share`: of all packets of all runs."""
        ns, floor = [[1000 / value for value in values] for values in (mpps, floor_mpps)]
        middle, floor_middle = statistics.median(ns), statistics.median(floor)
        self.rows.append({key: round(value, 4) if isinstance(value, float) else value for key, value in {
            "mode": "dr", "family": 4, "direction": "in", "traffic": "udp", "flows": flows, "workers": 1,
            "device": device, "mpps": 1000 / middle, "mpps_min": min(mpps), "mpps_max": max(mpps),
            "ns_per_packet": middle, "floor_ns": floor_middle, "cycles_per_packet": middle * self.machine["tsc_ghz"],
            "ns_min": min(ns), "ns_max": max(ns), "floor_min": min(floor), "floor_max": max(floor),
            "floor_mpps": 1000 / floor_middle, "runs": len(mpps), "lost_share": lost_share}.items()})
        print(f"{device:6} {flows:6}  {1000 / middle:7.3f} {min(mpps):6.3f} {max(mpps):6.3f}  {middle:7.1f}  "
              f"{floor_middle:6.1f} {min(floor):6.1f} {max(floor):6.1f}  {middle * self.machine['tsc_ghz']:7.0f}  "
              f"{lost_share:.2%}", flush=True)

    def fail(self, device, why):
        self.failed = True
        self.rows.append({"row": f"e2e/{device}", "error": why})
        print(f"{device}: ERROR: {why}", flush=True)

    def write(self, path):
        document = {"benchmark": "e2e", "machine": self.machine, "rows": self.rows}
        pathlib.Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
