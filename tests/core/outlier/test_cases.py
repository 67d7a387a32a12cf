"""Cases of our own in the format of the conformance vectors, played by the same adapters."""

from fractions import Fraction

import pytest

from conformance.envoy import outlier, outlier_grpc


def hits(host, code, t=0, n=1):
    return {"t": t, "op": "report", "host": host, "result": "http", "code": code, "n": n}


def local(host, result, t=0, n=1, **more):
    return {"t": t, "op": "report", "host": host, "result": result, "n": n, **more}


def sweep(t):
    return {"t": t, "op": "sweep"}


def expect(**what):
    return {"expect": what}


ALL_OUT = {"max_ejection_percent": 100}
PERIODIC = ALL_OUT | {"consecutive_5xx": 0, "consecutive_gateway_failure": 0}
FIVE = ["h0", "h1", "h2", "h3", "h4"]
SPLIT = {"split_external_local_origin_errors": True}

CASES = {
    "a-gateway-failure-is-tried-before-5xx-and-names-the-ejection": (
        ALL_OUT | {"enforcing_consecutive_gateway_failure": 100},
        ["h0", "h1"],
        [
            hits("h0", 502, n=5),
            expect(
                events=[["h0", "eject", "consecutive_gateway_failure", True]],
                stats={
                    "ejections_detected_consecutive_gateway_failure": 1,
                    "ejections_detected_consecutive_5xx": 0,
                    "ejections_enforced_consecutive_gateway_failure": 1,
                    "ejections_enforced_total": 1,
                    "ejections_total": 0,
                    "ejections_active": 1,
                },
            ),
        ],
    ),
    "a-run-past-its-threshold-is-silent-until-it-is-reset": (
        ALL_OUT | {"consecutive_gateway_failure": 0},
        ["h0"],
        [
            hits("h0", 500, n=5),
            hits("h0", 500, t=1, n=9),
            expect(stats={"ejections_detected_consecutive_5xx": 1}),
            sweep(30),
            hits("h0", 500, t=30, n=4),
            expect(ejected=[]),
            hits("h0", 500, t=30),
            expect(ejected=["h0"], num_ejections={"h0": 2}),
        ],
    ),
    "a-refused-ejection-resets-its-run-all-the-same": (
        {"max_ejection_percent": 50},
        ["h0"],
        [
            hits("h0", 500, n=14),
            expect(stats={"ejections_overflow": 2, "ejections_detected_consecutive_5xx": 2}),
            hits("h0", 500),
            expect(stats={"ejections_overflow": 3, "ejections_enforced_total": 0}, events=[]),
        ],
    ),
    "without-the-flag-ten-percent-of-nine-is-nobody": (
        {},
        [f"h{i}" for i in range(9)],
        [hits("h0", 500, n=5), expect(ejected=[], stats={"ejections_overflow": 1})],
    ),
    "ten-percent-of-ten-is-one": (
        {},
        [f"h{i}" for i in range(10)],
        [
            hits("h0", 500, n=5),
            hits("h1", 500, n=5),
            expect(ejected=["h0"], ejected_count=1, stats={"ejections_overflow": 1}),
        ],
    ),
    "always-eject-one-host-lets-the-first-go-and-no-second": (
        {"always_eject_one_host": True},
        ["h0", "h1"],
        [
            hits("h0", 500, n=5),
            hits("h1", 500, n=5),
            expect(ejected=["h0"], stats={"ejections_overflow": 1}),
        ],
    ),
    "zero-percent-with-the-flag-still-lets-one-go": (
        {"always_eject_one_host": True, "max_ejection_percent": 0},
        ["h0", "h1"],
        [hits("h0", 500, n=5), expect(ejected=["h0"])],
    ),
    "the-time-grows-with-each-ejection-and-shrinks-with-each-clean-sweep": (
        ALL_OUT,
        ["h0"],
        [
            hits("h0", 500, n=5),
            expect(multiplier={"h0": 1}, ejection_ms={"h0": 30000}),
            sweep(30),
            expect(ejected=[], multiplier={"h0": 1}, ever_unejected={"h0": True}),
            hits("h0", 500, t=31, n=5),
            expect(multiplier={"h0": 2}, ejection_ms={"h0": 60000}),
            sweep(90),
            expect(ejected=["h0"], multiplier={"h0": 2}),
            sweep(91),
            expect(ejected=[], multiplier={"h0": 2}),
            sweep(Fraction("100.999")),
            expect(multiplier={"h0": 2}),
            sweep(101),
            expect(multiplier={"h0": 1}),
            sweep(102),
            expect(multiplier={"h0": 0}),
            sweep(112),
            expect(multiplier={"h0": 0}, num_ejections={"h0": 2}),
        ],
    ),
    "the-multiplier-stands-one-step-above-the-maximum-and-the-time-does-not": (
        ALL_OUT | {"base_ejection_time": 30, "max_ejection_time": 60},
        ["h0"],
        [
            *(
                step
                for i in range(4)
                for step in (
                    hits("h0", 500, t=60 * i, n=5),
                    expect(
                        ejected=["h0"],
                        multiplier={"h0": min(i + 1, 3)},
                        ejection_ms={"h0": min(30000 * (i + 1), 60000)},
                    ),
                    sweep(60 * i + 60),
                    expect(ejected=[]),
                )
            ),
        ],
    ),
    "jitter-comes-after-the-cap-and-from-the-draws-in-order": (
        ALL_OUT | {"max_ejection_time": 30, "max_ejection_time_jitter": 2, "random": [2000, 4003]},
        ["h0", "h1", "h2"],
        [
            hits("h0", 500, n=5),
            hits("h1", 500, n=5),
            hits("h2", 500, n=5),
            expect(
                jitter_ms={"h0": 2000, "h1": 1, "h2": 0},
                ejection_ms={"h0": 32000, "h1": 30001, "h2": 30000},
            ),
            sweep(30),
            expect(ejected=["h0", "h1"]),
            sweep(Fraction("30.001")),
            expect(ejected=["h0"]),
            sweep(Fraction("31.999")),
            expect(ejected=["h0"]),
            sweep(32),
            expect(ejected=[]),
        ],
    ),
    "late-results-eject-again-in-the-sweep-that-lets-the-host-back": (
        PERIODIC | {"enforcing_failure_percentage": 100, "enforcing_success_rate": 0},
        FIVE,
        [
            *(hits(host, 200, n=50) for host in FIVE[1:]),
            hits("h0", 500, n=50),
            sweep(10),
            expect(events=[["h0", "eject", "failure_percentage", True]]),
            sweep(20),
            expect(success_rate_external={"hosts": {"h0": -1, "h1": -1}}),
            *(hits(host, 200, t=30, n=50) for host in FIVE[1:]),
            hits("h0", 500, t=30, n=60),
            sweep(40),
            expect(
                ejected=["h0"],
                events=[["h0", "uneject"], ["h0", "eject", "failure_percentage", True]],
                num_ejections={"h0": 2},
                multiplier={"h0": 2},
                success_rate_external={"hosts": {"h0": 0, "h1": 100}},
            ),
        ],
    ),
    "an-ejected-host-is-outside-the-mean-but-counts-for-the-first-gate": (
        ALL_OUT
        | {
            "enforcing_success_rate": 0,
            "success_rate_minimum_hosts": 4,
            "failure_percentage_minimum_hosts": 9,
        },
        FIVE,
        [
            hits("h0", 500, n=5),
            *(hits(host, 200, n=100) for host in FIVE),
            sweep(10),
            expect(
                success_rate_external={
                    "hosts": {"h0": -1, "h1": 100},
                    "average": 100,
                    "threshold": 100,
                }
            ),
            {"t": 11, "op": "remove_host", "host": "h1"},
            *(hits(host, 200, t=11, n=100) for host in ["h0", "h2", "h3", "h4"]),
            sweep(20),
            expect(success_rate_external={"hosts": {"h2": 100}, "average": -1, "threshold": -1}),
            {"t": 21, "op": "remove_host", "host": "h2"},
            *(hits(host, 200, t=21, n=100) for host in ["h0", "h3", "h4"]),
            sweep(30),
            expect(ejected=[], success_rate_external={"hosts": {"h3": -1}}),
        ],
    ),
    "a-rate-is-published-from-the-smaller-volume-on": (
        PERIODIC | {"enforcing_success_rate": 0},
        FIVE,
        [
            hits("h0", 200, n=49),
            hits("h1", 200, n=50),
            hits("h2", 200, n=100),
            sweep(10),
            expect(
                success_rate_external={
                    "hosts": {"h0": -1, "h1": 100, "h2": 100, "h3": -1},
                    "average": -1,
                },
                success_rate_local={"average": -1, "threshold": -1, "hosts": {"h1": -1}},
            ),
        ],
    ),
    "a-rate-at-the-threshold-is-no-outlier": (
        PERIODIC | {"success_rate_stdev_factor": 2000},
        FIVE,
        [
            *(hits(host, 200, n=100) for host in FIVE[1:]),
            hits("h0", 200, n=50),
            hits("h0", 500, n=50),
            sweep(10),
            expect(ejected=[], success_rate_external={"average": 90, "threshold": 50}),
        ],
    ),
    "what-both-periodic-detectors-find-is-ejected-once": (
        PERIODIC | {"enforcing_failure_percentage": 100},
        FIVE,
        [
            *(hits(host, 200, n=100) for host in FIVE[1:]),
            hits("h0", 500, n=100),
            sweep(10),
            expect(
                ejected=["h0"],
                active=1,
                num_ejections={"h0": 1},
                events=[["h0", "eject", "success_rate", True]],
                stats={
                    "ejections_detected_success_rate": 1,
                    "ejections_detected_failure_percentage": 1,
                    "ejections_enforced_failure_percentage": 0,
                    "ejections_enforced_total": 1,
                    "ejections_success_rate": 1,
                    "ejections_total": 1,
                },
            ),
        ],
    ),
    "an-unenforced-success-rate-leaves-the-host-to-the-failure-percentage": (
        PERIODIC | {"enforcing_success_rate": 0, "enforcing_failure_percentage": 100},
        FIVE,
        [
            *(hits(host, 200, n=100) for host in FIVE[1:]),
            hits("h0", 500, n=100),
            sweep(10),
            expect(
                events=[
                    ["h0", "eject", "success_rate", False],
                    ["h0", "eject", "failure_percentage", True],
                ],
                stats={"ejections_unenforced": 1},
            ),
        ],
    ),
    "local-origin-failures-have-detectors-of-their-own": (
        PERIODIC
        | SPLIT
        | {
            "consecutive_local_origin_failure": 0,
            "enforcing_failure_percentage_local_origin": 100,
            "enforcing_local_origin_success_rate": 0,
        },
        FIVE,
        [
            *(local(host, "local_connect_success", n=100) for host in FIVE[1:]),
            local("h0", "local_connect_failed", n=50),
            local("h0", "local_timeout", n=50),
            sweep(10),
            expect(
                events=[
                    ["h0", "eject", "success_rate_local_origin", False],
                    ["h0", "eject", "failure_percentage_local_origin", True],
                ],
                stats={
                    "ejections_detected_local_origin_success_rate": 1,
                    "ejections_enforced_local_origin_success_rate": 0,
                    "ejections_detected_local_origin_failure_percentage": 1,
                    "ejections_enforced_local_origin_failure_percentage": 1,
                    "ejections_success_rate": 1,
                    "ejections_total": 0,
                },
                success_rate_local={
                    "hosts": {"h0": 0, "h1": 100},
                    "average": 80,
                    "threshold": 4,
                },
                success_rate_external={"average": -1},
            ),
        ],
    ),
    "five-failed-connections-eject-when-split": (
        ALL_OUT | SPLIT,
        ["h0"],
        [
            local("h0", "local_connect_failed", n=4),
            local("h0", "local_connect_success_final"),
            local("h0", "local_timeout", n=4, code=200),
            hits("h0", 500),
            expect(ejected=[]),
            local("h0", "local_connect_failed"),
            expect(events=[["h0", "eject", "consecutive_local_origin_failure", True]]),
        ],
    ),
    "split-an-external-failure-is-a-503-and-a-success-clears-both-origins": (
        ALL_OUT | SPLIT | {"enforcing_consecutive_gateway_failure": 100},
        ["h0"],
        [
            local("h0", "local_timeout", n=4),
            local("h0", "ext_failed", n=4),
            local("h0", "ext_success", code=500),
            local("h0", "local_timeout", n=4),
            local("h0", "ext_failed", n=4),
            expect(ejected=[]),
            local("h0", "ext_failed"),
            expect(events=[["h0", "eject", "consecutive_gateway_failure", True]]),
        ],
    ),
    "not-split-a-timeout-is-a-504-and-a-refused-connection-a-503": (
        ALL_OUT | {"enforcing_consecutive_gateway_failure": 100},
        ["h0", "h1"],
        [
            local("h0", "local_timeout", n=2),
            local("h0", "local_connect_failed", n=2),
            local("h0", "local_connect_success"),
            local("h0", "local_timeout"),
            local("h1", "local_timeout", n=4),
            local("h1", "ext_failed", n=5),
            expect(
                events=[
                    ["h0", "eject", "consecutive_gateway_failure", True],
                    ["h1", "eject", "consecutive_5xx", True],
                ]
            ),
        ],
    ),
    "not-split-a-code-wins-over-the-result": (
        ALL_OUT,
        ["h0"],
        [
            local("h0", "local_connect_success", n=4, code=500),
            local("h0", "local_timeout", code=404),
            local("h0", "ext_success", n=5, code=500),
            expect(ejected=["h0"], ejected_count=1),
        ],
    ),
    "not-split-a-final-connect-clears-and-a-plain-one-does-not": (
        ALL_OUT,
        ["h0"],
        [
            hits("h0", 500, n=4),
            local("h0", "local_connect_success_final"),
            hits("h0", 500, n=4),
            local("h0", "local_connect_success"),
            expect(ejected=[]),
            hits("h0", 500),
            expect(ejected=["h0"]),
        ],
    ),
    "a-health-check-lets-a-host-back-at-once": (
        ALL_OUT | {"active_health_check": True},
        ["h0", "h1"],
        [
            hits("h0", 500, n=5),
            {"t": 3, "op": "health_check_ok", "host": "h1"},
            {"t": 3, "op": "health_check_ok", "host": "h0"},
            expect(ejected=[], active=0, multiplier={"h0": 1}, num_ejections={"h0": 1}),
            sweep(10),
            expect(multiplier={"h0": 1}),
            sweep(13),
            expect(multiplier={"h0": 0}),
        ],
    ),
    "a-health-check-may-be-told-to-let-nobody-back": (
        ALL_OUT
        | {"active_health_check": True, "successful_active_health_check_uneject_host": False},
        ["h0"],
        [
            hits("h0", 500, n=5),
            {"t": 3, "op": "health_check_ok", "host": "h0"},
            expect(ejected=["h0"]),
        ],
    ),
    "without-a-checker-nothing-is-checked": (
        ALL_OUT,
        ["h0"],
        [
            hits("h0", 500, n=5),
            {"t": 3, "op": "health_check_ok", "host": "h0"},
            expect(ejected=["h0"]),
        ],
    ),
    "a-host-that-is-added-again-is-new-and-late-results-of-the-old-one-count-nowhere": (
        ALL_OUT,
        ["h0", "h1"],
        [
            hits("h0", 500, n=5),
            {"t": 1, "op": "remove_host", "host": "h0"},
            hits("h0", 500, t=1, n=7),
            expect(active=0, events=[["h0", "eject", "consecutive_5xx", True]]),
            {"t": 2, "op": "add_host", "host": "h0"},
            expect(num_ejections={"h0": 0}, multiplier={"h0": 0}, ever_unejected={"h0": False}),
            hits("h0", 500, t=2, n=4),
            expect(ejected=[]),
            {"t": 2, "op": "advance"},
            {
                "t": 2,
                "op": "report_seq",
                "host": "h0",
                "repeat": 2,
                "seq": [{"result": "local_connect_success"}, {"result": "http", "code": 500}],
            },
            expect(ejected=["h0"], num_ejections={"h0": 1}),
        ],
    ),
    "unejection-wipes-all-three-runs": (
        ALL_OUT | SPLIT,
        ["h0"],
        [
            hits("h0", 500, n=5),
            hits("h0", 502, t=1, n=4),
            local("h0", "local_timeout", t=1, n=4),
            sweep(30),
            hits("h0", 502, t=30, n=4),
            local("h0", "local_timeout", t=30, n=4),
            expect(ejected=[]),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    config, hosts, steps = CASES[name]
    outlier.run({"name": name, "config": config, "hosts": hosts, "steps": steps})


@pytest.mark.parametrize(
    "config",
    [
        {"interval": 0},
        {"base_ejection_time": 0},
        {"base_ejection_time": 301, "max_ejection_time": 300},
        {"max_ejection_percent": 101},
        {"enforcing_success_rate": -1},
        {"max_ejection_time_jitter": -1},
    ],
)
def test_a_config_that_cannot_work_is_refused(config):
    outlier.run({"name": "x", "config": config, "steps": [], "expect_error": True})


def calls(hosts, result, n, t=0):
    return {"t": t, "op": "report", "hosts": hosts, "result": result, "n": n}


THREE = ["h0", "h1", "h2"]
FAILING = {"threshold": 50, "minimum_hosts": 3, "request_volume": 3}
GRPC = {
    "the-first-always-goes-and-the-second-does-not": (
        {"failure_percentage_ejection": FAILING},
        THREE,
        [
            calls(["h0", "h1"], "failure", 5),
            calls(["h2"], "success", 5),
            sweep(10),
            expect(ejected=["h0"], enforced=1, unenforced=1, multiplier={"h0": 1, "h1": 0}),
        ],
    ),
    "zero-percent-is-nobody": (
        {"max_ejection_percent": 0, "failure_percentage_ejection": FAILING},
        THREE,
        [
            calls(["h0"], "failure", 5),
            calls(["h1", "h2"], "success", 5),
            sweep(10),
            expect(ejected=[], enforced=0, unenforced=1),
        ],
    ),
    "unenforced-is-counted-apart": (
        {"failure_percentage_ejection": FAILING | {"enforcement_percentage": 0}},
        THREE,
        [
            calls(THREE, "failure", 5),
            sweep(10),
            expect(ejected=[], enforced=0, unenforced=3),
        ],
    ),
    "back-strictly-after-the-time-and-decay-in-the-first-clean-sweep": (
        {"failure_percentage_ejection": FAILING},
        THREE,
        [
            calls(["h0"], "failure", 5),
            calls(["h1", "h2"], "success", 5),
            sweep(10),
            sweep(40),
            expect(ejected=["h0"], multiplier={"h0": 1}),
            sweep(Fraction("40.001")),
            expect(ejected=[], multiplier={"h0": 1}),
            sweep(Fraction("40.002")),
            expect(multiplier={"h0": 0}),
        ],
    ),
    "a-base-above-the-maximum-is-the-maximum": (
        {
            "base_ejection_time": 30,
            "max_ejection_time": 5,
            "failure_percentage_ejection": FAILING,
        },
        THREE,
        [
            calls(["h0"], "failure", 5),
            calls(["h1", "h2"], "success", 5),
            sweep(10),
            sweep(39),
            expect(ejected=["h0"]),
            sweep(41),
            expect(ejected=[]),
        ],
    ),
    "an-ejected-host-is-looked-at-and-may-be-ejected-anew": (
        {"failure_percentage_ejection": FAILING, "max_ejection_percent": 100},
        THREE,
        [
            calls(["h0"], "failure", 5),
            calls(["h1", "h2"], "success", 5),
            sweep(10),
            calls(["h0"], "failure", 5, t=11),
            calls(["h1", "h2"], "success", 5, t=11),
            sweep(20),
            expect(ejected=["h0"], enforced=2, multiplier={"h0": 2}),
            sweep(80),
            expect(ejected=["h0"]),
            sweep(81),
            expect(ejected=[]),
        ],
    ),
    "success-rates-are-compared": (
        {"success_rate_ejection": {}},
        FIVE,
        [
            calls(FIVE[1:], "success", 100),
            calls(["h0"], "success", 50),
            calls(["h0"], "failure", 50),
            sweep(10),
            expect(ejected=["h0"]),
        ],
    ),
    "too-few-calls-or-hosts-compare-nothing": (
        {"success_rate_ejection": {}, "failure_percentage_ejection": {}},
        FIVE,
        [
            calls(FIVE[1:], "success", 100),
            calls(["h0"], "failure", 49),
            sweep(10),
            expect(ejected=[], enforced=0, unenforced=0),
        ],
    ),
    "without-a-detector-nothing-counts-and-all-come-back": (
        {"failure_percentage_ejection": FAILING},
        THREE,
        [
            calls(["h0"], "failure", 5),
            calls(["h1", "h2"], "success", 5),
            sweep(10),
            expect(ejected=["h0"]),
            {"t": 11, "op": "set_config", "config": {}},
            expect(ejected=[], multiplier={"h0": 0}),
            calls(["h1"], "failure", 5, t=12),
            sweep(20),
            {
                "t": 21,
                "op": "set_config",
                "failure_percentage_ejection": FAILING,
                "success_rate_ejection": None,
            },
            calls(["h0", "h2"], "success", 5, t=21),
            sweep(31),
            expect(ejected=[], enforced=1),
        ],
    ),
    "a-config-that-still-detects-keeps-counts-and-ejections": (
        {"failure_percentage_ejection": FAILING},
        THREE,
        [
            calls(["h0"], "failure", 5),
            calls(["h1", "h2"], "success", 5),
            sweep(10),
            calls(["h1"], "failure", 5, t=11),
            calls(["h0", "h2"], "success", 5, t=11),
            {
                "t": 20,
                "op": "set_config",
                "config": {"failure_percentage_ejection": FAILING, "max_ejection_percent": 100},
            },
            expect(ejected=["h0"], multiplier={"h0": 1}),
            sweep(20),
            expect(ejected=["h0", "h1"], enforced=2),
        ],
    ),
}


@pytest.mark.parametrize("name", GRPC)
def test_grpc_case(name):
    config, hosts, steps = GRPC[name]
    outlier_grpc.run(
        {"name": name, "flavour": "grpc", "config": config, "hosts": hosts, "steps": steps}
    )


@pytest.mark.parametrize(
    "config",
    [
        {"interval": -1},
        {"base_ejection_time": -1},
        {"max_ejection_time": -1},
        {"max_ejection_percent": 101},
        {"success_rate_ejection": {"enforcement_percentage": 101}},
        {"failure_percentage_ejection": {"threshold": 101}},
        {"failure_percentage_ejection": {"enforcement_percentage": 101}},
    ],
)
def test_a_grpc_config_that_cannot_work_is_refused(config):
    outlier_grpc.run({"name": "x", "config": config, "steps": [], "expect_error": True})


@pytest.mark.parametrize(
    "case",
    [
        {"config": {"interwal": 1}, "steps": []},
        {"config": {}, "steps": [], "stepz": []},
        {"config": {}, "hosts": ["a"], "steps": [sweep(1) | {"x": 1}]},
        {"config": {}, "hosts": ["a"], "steps": [{"op": "swoop"}]},
        {"config": {}, "hosts": ["a"], "steps": [local("a", "local_fail")]},
        {"config": {}, "hosts": ["a"], "steps": [expect(ejectd=[])]},
        {"config": {}, "hosts": ["a"], "steps": [expect(stats={"ejections_detected": 0})]},
        {"config": {}, "hosts": ["a"], "steps": [expect(success_rate_external={"mean": -1})]},
    ],
)
@pytest.mark.parametrize("adapter", [outlier, outlier_grpc])
def test_an_adapter_ignores_nothing_it_does_not_know(adapter, case):
    with pytest.raises((AssertionError, AttributeError, TypeError, ValueError)):
        adapter.run({"name": "x", **case})


def test_a_case_that_is_wrong_fails():
    steps = [hits("h0", 500, n=5), expect(ejected=[])]
    with pytest.raises(AssertionError):
        outlier.run({"name": "x", "config": ALL_OUT, "hosts": ["h0"], "steps": steps})
