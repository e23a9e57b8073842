"""Failover drills: two load balancers, steady load, a fault, and what clients and switches saw of it. See README.md."""

import pathlib
import sys

# The network of namespaces and the captures are those of the end-to-end tests.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
