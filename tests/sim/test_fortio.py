"""A class in fortio's shape: its keys, its types, its units, and that it adds up."""

import json

import pytest

from support.simulation import limit, play
from trafficcore.sim.fortio import fortio

SPEC = """
duration: 20s
services: [{name: web.default.svc.cluster.local, latency: {exponential: 20ms}}]
loads:
- {name: open, url: 'http://web.default.svc.cluster.local/a', rate: 30, timeout: 60ms}
- {name: closed, url: 'http://web.default.svc.cluster.local/', clients: 4, duration: 5s, start: 2s}
- {name: none, url: 'http://web.default.svc.cluster.local/', rate: 0}
- {name: ramp, url: 'http://web.default.svc.cluster.local/', ramp: {from: 1, to: 2, over: 5s}}
"""
#: What fortio 1.6 writes and its readers look for: key to type.
TOP = {
    "RunType": str,
    "Labels": str,
    "Version": str,
    "RequestedQPS": str,
    "RequestedDuration": str,
    "ActualQPS": float,
    "ActualDuration": int,
    "NumThreads": int,
    "URL": str,
    "RetCodes": dict,
    "DurationHistogram": dict,
}
HISTOGRAM = {
    "Count": int,
    "Min": float,
    "Max": float,
    "Sum": float,
    "Avg": float,
    "StdDev": float,
    "Data": list,
    "Percentiles": list,
}


@pytest.fixture(scope="module")
def result():
    return play(SPEC, limit(25))


@pytest.mark.parametrize("name", ["open", "closed", "none", "ramp"])
def test_keys_and_types_are_fortios(result, name):
    written = json.loads(json.dumps(fortio(result, name), allow_nan=False))
    assert {key: type(value) for key, value in written.items()} == TOP
    assert {key: type(value) for key, value in written["DurationHistogram"].items()} == HISTOGRAM
    for bar in written["DurationHistogram"]["Data"]:
        assert set(bar) == {"Start", "End", "Percent", "Count"}
    for row in written["DurationHistogram"]["Percentiles"]:
        assert set(row) == {"Percentile", "Value"}


@pytest.mark.parametrize("name", ["open", "closed"])
def test_the_histogram_adds_up(result, name):
    written = fortio(result, name)
    histogram = written["DurationHistogram"]
    bars = histogram["Data"]
    assert sum(bar["Count"] for bar in bars) == histogram["Count"]
    assert sum(written["RetCodes"].values()) == histogram["Count"] == result.classes[name].count
    percents = [bar["Percent"] for bar in bars]
    assert percents == sorted(percents), "fortio's percents are cumulative"
    assert percents[-1] == 100
    assert (bars[0]["Start"], bars[-1]["End"]) == (histogram["Min"], histogram["Max"])
    assert histogram["Avg"] == pytest.approx(histogram["Sum"] / histogram["Count"])
    assert written["ActualQPS"] == pytest.approx(
        histogram["Count"] / (written["ActualDuration"] * 1e-9), rel=1e-6
    )


def test_what_was_asked_is_written_as_fortio_does(result):
    rows = {name: fortio(result, name) for name in result.classes}
    asked = {name: row["RequestedQPS"] for name, row in rows.items()}
    assert asked == {"open": "30", "closed": "max", "none": "0", "ramp": "max"}
    spans = {name: row["RequestedDuration"] for name, row in rows.items()}
    assert spans == {"open": "20s", "closed": "5s", "none": "20s", "ramp": "20s"}
    assert [row["NumThreads"] for row in rows.values()] == [1, 4, 1, 1]
    assert rows["open"]["URL"] == "http://web.default.svc.cluster.local/a"


def test_codes_are_texts_and_a_time_out_is_minus_1(result):
    codes = fortio(result, "open")["RetCodes"]
    assert set(codes) == {"-1", "200", "429"}


def test_a_class_without_a_call_is_empty(result):
    written = fortio(result, "none")
    assert written["ActualQPS"] == 0
    assert written["DurationHistogram"]["Count"] == 0
    assert written["DurationHistogram"]["Data"] == []
