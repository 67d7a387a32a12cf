"""LoadRampingPolicy and AverageLatencySchedulingPolicy, row by row."""

import pytest

from manifest.helpers import clean, document, remarks, the_fault
from trafficcore import manifest
from trafficcore.spec import QuotaSelector, RampDriver, Shedding

V1 = "istio.alibabacloud.com/v1"
STEPS = (
    "load_ramp: {steps: [{duration: 0s, target_accept_percentage: 10},"
    " {duration: 1m, target_accept_percentage: 100}]}\n"
)


def ramp(text=STEPS, start="start: true\n"):
    return document("LoadRampingPolicy", start + text, V1)


def the_ramp(text):
    (rule,) = manifest.load(text).ramps
    return rule


def shed(scheduler="{}", more="", beside=""):
    core = f"load_scheduler: {scheduler}{more}"
    return document(
        "AverageLatencySchedulingPolicy",
        f"load_scheduling_core: {{aimd_load_scheduler: {{{core}}}}}\n{beside}",
        V1,
    )


def the_shed(text):
    (rule,) = manifest.load(text).quotas
    return rule


def test_a_ramp_of_defaults():
    clean(ramp())
    rule = the_ramp(ramp())
    assert (rule.started, rule.reset, rule.session, rule.denied_status) == (True, False, "", 403)
    assert (rule.drivers, rule.selectors) == ((), (QuotaSelector(),))
    assert rule.source.path == "spec.load_ramp"


def test_thresholds_are_milliseconds():
    drivers = (
        "drivers: {average_latency_drivers: [{selectors: [{service: db, control_point: egress}],"
        " criteria: {forward: {threshold: 100}, reset: {threshold: 250}}}]}\n"
    )
    clean(ramp(STEPS + drivers))
    db = QuotaSelector(service="db.shop.svc.cluster.local", control_point="egress")
    assert the_ramp(ramp(STEPS + drivers)).drivers == (
        RampDriver(selectors=(db,), forward=0.1, reset=0.25),
    )


@pytest.mark.parametrize("name", ["percentile_latency_drivers", "promql_drivers"])
def test_a_driver_that_is_not_read_is_named_and_never_lets_the_ramp_go_on(name):
    text = ramp(STEPS + f"drivers: {{{name}: [{{}}]}}\n")
    assert remarks(text) == [
        f"spec.drivers.{name}: has no effect in this version: a ramp that it should move holds"
    ]
    assert the_ramp(text).drivers == (RampDriver(selectors=(), forward=0),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (ramp(start=""), "spec.start: is required"),
        (ramp(""), "spec.load_ramp: is required"),
        (ramp("load_ramp: {}\n"), "spec.load_ramp.steps: is required"),
        (ramp("load_ramp: {steps: []}\n"), "spec.load_ramp.steps: must hold at least 1 item"),
        (ramp(STEPS.replace("10}", "101}")), ("spec.load_ramp.steps[0].target_accept_percentage:"
                                           " must be a number from 0 to 100, not '101'")),
        (ramp(STEPS.replace("0s", "-1s")), ("spec.load_ramp.steps[0].duration:"
                                           " must be a duration from 0s, not '-1s'")),
        (ramp(STEPS + "drivers: {average_latency_drivers: [{}]}\n"),
         "spec.drivers.average_latency_drivers[0].criteria: is required"),
        (ramp(STEPS + "drivers: {average_latency_drivers: [{criteria: {forward: {}}}]}\n"),
         "spec.drivers.average_latency_drivers[0].criteria.forward.threshold: is required"),
    ],
)  # fmt: skip
def test_bounds_of_a_ramp(text, fault):
    assert the_fault(text) == fault


def test_what_is_surely_wrong_with_a_ramp_is_told():
    (said,) = remarks(ramp(STEPS.replace("100", "99.5")))
    assert said == (
        "spec.load_ramp.steps[1].target_accept_percentage: is the last step: the rest is refused"
        " for good"
    )
    criteria = "{forward: {threshold: 100}, backward: {threshold: 120}, reset: {threshold: 90}}"
    drivers = f"drivers: {{average_latency_drivers: [{{criteria: {criteria}}}]}}\n"
    (said,) = remarks(ramp(STEPS + drivers))
    assert said == (
        "spec.drivers.average_latency_drivers[0].criteria.forward.threshold: goes on below a"
        " latency at which reset holds: reset goes before"
    )
    clean(ramp(STEPS + drivers.replace("90", "100")))


def test_shedding_of_defaults():
    clean(shed())
    rule = the_shed(shed())
    assert rule.shedding == Shedding()
    assert (rule.selectors, rule.workloads, rule.denied_status) == ((QuotaSelector(),), (), 503)
    assert (rule.queue, rule.in_flight) == (True, False)
    assert rule.source.path.endswith("aimd_load_scheduler.load_scheduler")


def test_shedding_in_full():
    text = shed(
        "{workload_latency_based_tokens: true, scheduler: {tokens_label_key: size}}",
        ", gradient: {slope: -2, min_gradient: 0.2, max_gradient: 0.9},"
        " load_multiplier_linear_increment: 0.05, max_load_multiplier: 3",
        "latency_baseliner: {latency_tolerance_multiplier: 1.5, long_term_query_interval: 1h,"
        " long_term_query_periodic_interval: 1m, meter: {selectors: [{service: db}]}}\n",
    )
    clean(text)
    rule = the_shed(text)
    assert rule.keys.tokens == "size"
    assert rule.shedding == Shedding(
        slope=-2, min_gradient=0.2, max_gradient=0.9, increment=0.05, max_multiplier=3,
        tolerance=1.5, long_window=3600, long_step=60, cost_by_latency=True,
        meters=(QuotaSelector(service="db.shop.svc.cluster.local"),),
    )  # fmt: skip


def test_the_old_name_of_the_meter_is_told():
    text = shed(beside="latency_baseliner: {flux_meter: {selectors: [{service: any}]}}\n")
    assert remarks(text) == ["spec.latency_baseliner.flux_meter: is deprecated: write meter"]
    assert the_shed(text).shedding.meters == (QuotaSelector(),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (document("AverageLatencySchedulingPolicy", "latency_baseliner: {}\n", V1),
         "spec.load_scheduling_core: is required"),
        (shed(more=", gradient: {min_gradient: 2}"),
         ("spec.load_scheduling_core.aimd_load_scheduler.gradient.min_gradient:"
         " min_gradient must be at most max_gradient, not 2 above 1")),
        (shed(more=", gradient: {max_gradient: 0.05}"),
         ("spec.load_scheduling_core.aimd_load_scheduler.gradient.max_gradient:"
         " min_gradient must be at most max_gradient, not 0.1 above 0.05")),
        (shed(beside="latency_baseliner: {long_term_query_interval: 10s}\n"),
         ("spec.latency_baseliner.long_term_query_interval: long_term_query_periodic_interval must"
         " be at most long_term_query_interval, not 30 s of 10 s")),
        (shed(beside="latency_baseliner: {long_term_query_periodic_interval: 1h}\n"),
         ("spec.latency_baseliner.long_term_query_periodic_interval:"
         " long_term_query_periodic_interval must be at most long_term_query_interval,"
         " not 3600 s of 1800 s")),
        (shed(beside="latency_baseliner: {latency_tolerance_multiplier: 0}\n"),
         "spec.latency_baseliner.latency_tolerance_multiplier: must be a number above 0, not '0'"),
    ],
)  # fmt: skip
def test_bounds_of_shedding(text, fault):
    assert the_fault(text) == fault
