"""Whom ejection can eject, with hosts that are known and hosts that are not; localities."""

import pytest

from judge.helpers import codes, found, said
from trafficcore.judge import HostCounts

EJECTION = {"TC301", "TC302", "TC303", "TC304"}
AT = "spec.trafficPolicy.outlierDetection"


def rule(outlier="{}", host="web", more=""):
    return (
        f"kind: DestinationRule\nspec:\n  host: {host}\n  trafficPolicy:\n"
        f"    loadBalancer: {{localityLbSetting: {{enabled: false}}}}\n"
        f"    outlierDetection: {outlier}\n{more}"
    )


def entry(endpoints, host="web", ports=""):
    items = "".join(f"  - address: {it}\n" for it in endpoints)
    head = f"kind: ServiceEntry\nspec:\n  hosts: [{host}]\n{ports}  resolution: DNS\n"
    return f"{head}  endpoints:\n{items}" if endpoints else head


@pytest.mark.parametrize(
    ("percent", "fewest"),
    [("", 10), ("maxEjectionPercent: 10", 10), ("maxEjectionPercent: 1", 100),
     ("maxEjectionPercent: 9", 12), ("maxEjectionPercent: 33", 4), ("maxEjectionPercent: 25", 4)],
)  # fmt: skip
def test_how_many_hosts_it_takes(percent, fewest):
    (problem,) = found(rule(f"{{{percent}}}"), "TC301")
    assert problem.message.startswith(f"with fewer than {fewest} hosts nobody is ever ejected")
    assert problem.path == (f"{AT}.maxEjectionPercent" if percent else AT)
    enough = HostCounts(others=fewest)
    assert not EJECTION & set(codes(rule(f"{{{percent}}}"), hosts=enough))
    (problem,) = found(rule(f"{{{percent}}}"), "TC302", hosts=HostCounts(others=fewest - 1))
    assert f"one of {fewest - 1} hosts" in problem.message


@pytest.mark.parametrize("percent", [34, 50, 99])
def test_two_or_three_hosts_are_no_news(percent):
    assert not EJECTION & set(codes(rule(f"{{maxEjectionPercent: {percent}}}")))


def test_where_the_count_comes_from():
    text = f"{entry(['10.0.0.1', '10.0.0.2'])}---\n{rule()}"
    many, few = HostCounts(others=20), HostCounts(named={"web": 3, "cart": 1})
    assert "one of 2 hosts" in said(text, "TC302")[0]
    assert "one of 2 hosts" in said(text, "TC302", hosts=many)[0]
    assert "one of 3 hosts" in said(text, "TC302", hosts=few)[0]
    full = HostCounts(named={"web.shop.svc.cluster.local": 3})
    assert "one of 3 hosts" in said(text, "TC302", hosts=full)[0]
    assert not EJECTION & set(codes(rule(), hosts=many))


@pytest.mark.parametrize(
    "entries",
    [entry(["web.internal"]), entry(["10.0.0.1", "web.internal"]), entry([]),
     f"{entry(['10.0.0.1'])}---\n{entry(['web.internal'])}", entry(["10.0.0.1"], "cart")],
)  # fmt: skip
def test_hosts_that_nobody_can_count(entries):
    assert len(found(f"{entries}---\n{rule()}", "TC301")) == 1


def test_entries_of_one_host_add_up():
    text = f"{entry(['10.0.0.1'])}---\n{entry(['10.0.0.2', 'fd00::3'])}---\n{rule()}"
    assert "one of 3 hosts" in said(text, "TC302")[0]


@pytest.mark.parametrize(
    ("outlier", "message"),
    [("{}", "the only host is never ejected, at 10 %"),
     ("{maxEjectionPercent: 99}", "the only host is never ejected, at 99 %"),
     ("{maxEjectionPercent: 100, baseEjectionTime: 90s}",
      "the only host is ejected, and every call fails for 90s"),
     ("{maxEjectionPercent: 100, minHealthPercent: 50}",
      "the only host is ejected, and asked all the same: minHealthPercent is above 0")],
)  # fmt: skip
def test_a_single_host(outlier, message):
    one = HostCounts(others=1)
    (problem,) = found(rule(outlier), "TC304", hosts=one)
    assert problem.message == message
    assert EJECTION & set(codes(rule(outlier), hosts=one)) == {"TC304"}


@pytest.mark.parametrize("hosts", [None, 2, 100])
def test_all_may_go_and_panic_is_off(hosts):
    counts = HostCounts(others=hosts)
    assert len(found(rule("{maxEjectionPercent: 100}"), "TC303", hosts=counts)) == 1
    safe = rule("{maxEjectionPercent: 100, minHealthPercent: 1}")
    assert found(safe, "TC303", hosts=counts) == []


def test_a_port_is_judged_by_its_own_setting():
    ports = (
        "    portLevelSettings:\n    - port: {number: 80}\n"
        "      loadBalancer: {simple: ROUND_ROBIN}\n    - port: {number: 443}\n"
        "      outlierDetection: {maxEjectionPercent: 100}\n"
    )
    (problem,) = found(rule("{maxEjectionPercent: 50}", more=ports), "TC303")
    assert (
        problem.path
        == "spec.trafficPolicy.portLevelSettings[1].outlierDetection.maxEjectionPercent"
    )
    assert problem.line == 13
    assert [it.path for it in found(rule(more=ports), "TC306")] == [
        "spec.trafficPolicy.portLevelSettings[1].outlierDetection"
    ]


def test_what_detects_nothing_needs_no_word_about_whom_it_ejects():
    text = rule("{consecutive5xxErrors: 0, maxEjectionPercent: 100}")
    assert codes(text, hosts=HostCounts(others=1)) == ["TC308"]
    split = "splitExternalLocalOriginErrors: true"
    assert found(rule(f"{{consecutive5xxErrors: 0, {split}}}"), "TC308") == []


# -- localities ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balancer", "told"),
    [("{simple: ROUND_ROBIN}", True), ("{localityLbSetting: {}}", False),
     ("{localityLbSetting: {enabled: false}}", False), ("{zoneAwareLbSetting: {}}", False)],
)  # fmt: skip
def test_outlier_detection_turns_locality_on_where_nobody_speaks_of_it(balancer, told):
    text = rule("{maxEjectionPercent: 50}").replace(
        "{localityLbSetting: {enabled: false}}", balancer
    )
    assert bool(found(text, "TC306")) is told


@pytest.mark.parametrize(
    ("start", "own", "told"),
    [("eu", "eu/a/1", False), ("eu/*", "eu/a", False), ("eu/a/*", "eu/a", False),
     ("*", "eu", False), ("eu/b", "eu/a", True), ("eu/a/2", "eu/a/1", True), ("us", "eu", True),
     ("us", "", False)],
)  # fmt: skip
def test_weights_that_speak_of_another_place(start, own, told):
    text = (
        "kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n    loadBalancer:\n"
        f"      localityLbSetting:\n        distribute: [{{from: '{start}', to: {{'*': 100}}}}]\n"
    )
    assert bool(found(text, "TC510", locality=own)) is told


@pytest.mark.parametrize(
    ("hosts", "code"), [(HostCounts(), "TC301"), (HostCounts(others=3), "TC302")]
)
def test_up_to_1_22_the_first_host_goes_whatever_the_percentage(hosts, code):
    assert not EJECTION & {*codes(rule(), istio="1.22", hosts=hosts)}
    (problem,) = found(rule(), code, istio="1.23", hosts=hosts)
    assert problem.message.endswith("10 % (Istio after 1.22)")


def test_up_to_1_22_a_single_host_goes():
    for istio, words in (("1.22", "the only host is ejected, and"), ("1.23", "is never ejected")):
        (problem,) = found(rule(), "TC304", istio=istio, hosts=HostCounts(others=1))
        assert words in problem.message
