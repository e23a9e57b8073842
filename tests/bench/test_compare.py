"""tests/bench/compare: what it calls a loss."""

import json
import pathlib
import subprocess

import pytest

COMPARE = pathlib.Path(__file__).resolve().with_name("compare")
ROW = {"mode": "dr", "family": 4, "direction": "in", "traffic": "udp", "flows": 1000, "workers": 1,
       "ns_per_packet": 40.0, "floor_ns": 8.0}


@pytest.fixture(name="compare")
def compare_rows(tmp_path):
    def run(before, after, *options):
        paths = []
        for name, rows in (("a", before), ("b", after)):
            path = tmp_path / f"{name}.json"
            path.write_text(rows if isinstance(rows, str) else
                            json.dumps({"machine": {"cpu": "x", "date": "today", "commit": name}, "rows": rows}))
            paths.append(path)
        return subprocess.run([COMPARE, *paths, *options], capture_output=True, text=True, check=False)
    return run


def row(**changes):
    return {**ROW, **changes}


def test_equal_figures_are_no_loss(compare):
    result = compare([row()], [row()])
    assert result.returncode == 0
    assert "1.000" in result.stdout and "LOSS" not in result.stdout


def test_just_within_the_limit_is_no_loss(compare):
    assert compare([row()], [row(ns_per_packet=42.0)]).returncode == 0


def test_slower_by_more_than_the_limit_is_a_loss(compare):
    result = compare([row()], [row(ns_per_packet=42.2)])
    assert result.returncode == 1
    assert "LOSS" in result.stdout and "1 losses" in result.stdout


def test_no_fail_only_reports(compare):
    result = compare([row()], [row(ns_per_packet=80)], "--no-fail")
    assert result.returncode == 0 and "LOSS" in result.stdout


def test_rows_are_matched_by_key_and_not_by_place(compare):
    fast, slow = row(flows=1, ns_per_packet=20), row(flows=10**6, ns_per_packet=90)
    assert compare([fast, slow], [slow, fast]).returncode == 0


def test_a_row_that_went_away_is_a_loss(compare):
    result = compare([row(), row(flows=1)], [row()])
    assert result.returncode == 1 and "only in A" in result.stdout


def test_a_row_that_is_new_is_none(compare):
    result = compare([row()], [row(), row(flows=1)])
    assert result.returncode == 0 and "only in B" in result.stdout


def test_a_row_that_became_an_error_is_a_loss(compare):
    result = compare([row()], [row(), {"row": "dr/4/mixed/1", "error": "not_syn 3"}])
    assert result.returncode == 1 and "not_syn 3" in result.stdout


def test_floors_that_differ_are_said(compare):
    result = compare([row()], [row(floor_ns=16.0)])
    assert result.returncode == 0 and "floors differ" in result.stdout


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"rows": [{"mode": "dr"}]}', '{"rows": 3}',
                                  json.dumps({"rows": [row(ns_per_packet="fast")]})])
def test_what_is_no_file_of_figures_is_refused_in_words(compare, text):
    result = compare([row()], text)
    assert result.returncode == 1
    assert "b.json" in result.stderr and "Traceback" not in result.stderr
