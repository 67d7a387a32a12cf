"""Cases of our own in the format of the conformance vectors, played by the same adapters."""

from pathlib import Path

import pytest

from conformance import formats
from conformance.envoy import outlier, outlier_grpc

CASES = [
    pytest.param(module, case, id=name)
    for name, module, case in formats.read(Path(__file__).parent / "cases")
]


@pytest.mark.parametrize(("module", "case"), CASES)
def test_case(module, case):
    formats.runner(module)(case)


@pytest.mark.parametrize("adapter", [outlier, outlier_grpc])
@pytest.mark.parametrize(
    "case",
    [
        {"config": {"interwal": 1}},
        {"stepz": []},
        {"steps": [{"op": "sweep", "x": 1}]},
        {"steps": [{"op": "swoop"}]},
        {"steps": [{"op": "report", "host": "a", "result": "local_fail"}]},
        {"steps": [{"op": "report", "result": "http", "code": 200}]},
        {"steps": [{"expect": {"ejectd": []}}]},
        {"steps": [{"expect": {"stats": {"ejections_detected": 0}}}]},
        {"steps": [{"expect": {"success_rate_external": {"mean": -1}}}]},
        {"steps": [{"t": 2, "op": "sweep"}, {"t": 1, "op": "sweep"}]},
    ],
)
def test_an_adapter_ignores_nothing_it_does_not_know(adapter, case):
    with pytest.raises((AssertionError, AttributeError, TypeError, ValueError)):
        adapter.run({"name": "x", "config": {}, "hosts": ["a"], "steps": []} | case)


def test_a_case_that_is_wrong_fails():
    steps = [
        {"op": "report", "host": "a", "result": "http", "code": 500, "n": 5},
        {"expect": {"ejected": []}},
    ]
    config = {"max_ejection_percent": 100}
    with pytest.raises(AssertionError, match=r"step 1, ejected: \['a'\] instead of \[\]"):
        outlier.run({"name": "x", "config": config, "hosts": ["a"], "steps": steps})
