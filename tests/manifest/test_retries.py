"""VirtualService: the timeouts and the retries of its routes, read and told."""

import pytest

from trafficcore import ManifestError, manifest
from trafficcore.spec import Retries, RetryCaps

HEAD = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http:
"""
ROUTE = "spec.http[0]"
ISTIO = ("connect-failure", "refused-stream", "unavailable", "cancelled")
ANY = RetryCaps()
NEVER = "has no effect in process"
WORDS = "must be of Envoy's conditions or statuses"
FULL = """{timeout: 10s, retries: {attempts: 2, perTryTimeout: 2s, backoff: 100ms,
    retryOn: 'gateway-error, 429,503', retryIgnorePreviousHosts: false}}"""


def report(*routes):
    return manifest.check(HEAD + "".join(f"  - {route}\n" for route in routes))


def said(*routes):
    """What each route says; nothing may be wrong with it."""
    told = report(*routes)
    assert [problem.message for problem in told.problems if problem.code != "TC904"] == []
    ((hosts),) = told.policy.declared
    return [route.retries for route in hosts.routes]


def remarks(*routes):
    return [
        f"{problem.path}: {problem.message}"
        for problem in report(*routes).problems
        if problem.code != "TC904"
    ]


@pytest.mark.parametrize(
    ("route", "retries"),
    [
        ("{route: []}", None),
        ("{timeout: null, retries: null}", None),
        ("{timeout: 0s}", None),
        ("{timeout: 1.5s}", Retries(0, (), timeout=1.5)),
        ("{retries: {attempts: 3}}", Retries(3, ISTIO, caps=ANY)),
        (
            FULL,
            Retries(
                2,
                ("gateway-error", "429", "503"),
                timeout=10,
                per_try_timeout=2,
                base_interval=0.1,
                other_hosts=False,
                caps=ANY,
            ),
        ),
        ("{retries: {attempts: 1, retryOn: ''}}", Retries(1, (), caps=ANY)),
        ("{timeout: 1s, retries: {attempts: 1}}", Retries(1, ISTIO, timeout=1, caps=ANY)),
    ],
)
def test_what_a_route_says(route, retries):
    assert said(route) == [retries]


def test_each_match_of_a_route_says_the_same():
    both = said("{name: a, timeout: 1s, match: [{name: x}, {name: y}]}", "{name: b}")
    assert both == [Retries(0, (), timeout=1), Retries(0, (), timeout=1), None]


@pytest.mark.parametrize(
    ("route", "remark"),
    [
        (
            "{retries: {retryOn: 5xx}}",
            "retries: nothing is tried again: attempts is 0, or absent",
        ),
        (
            "{timeout: 3s, retries: {attempts: 0}}",
            "retries: nothing is tried again: attempts is 0, or absent",
        ),
        (
            "{retries: {attempts: 1, retryRemoteLocalities: true}}",
            f"retries.retryRemoteLocalities: {NEVER}: it goes by the same priorities as the first",
        ),
        (
            "{retries: {attempts: 1, retryOn: 'retriable-headers,5xx'}}",
            "retries.retryOn: has no effect in process with retriable-headers",
        ),
    ],
)
def test_what_does_less_than_it_says_is_told_by_name(route, remark):
    assert remarks(route) == [f"{ROUTE}.{remark}"]


def test_what_is_left_of_it_acts():
    (hosts,) = report("{timeout: 3s, retries: {attempts: 0}}").policy.declared
    assert hosts.routes[0].retries == Retries(0, (), timeout=3)
    (hosts,) = report("{retries: {attempts: 1, retryOn: 'retriable-headers,5xx'}}").policy.declared
    assert hosts.routes[0].retries.on == ("5xx",)


@pytest.mark.parametrize(
    ("route", "fault"),
    [
        (
            "{retries: {attempts: 1, retryOn: gateway-errors}}",
            f"retries.retryOn: {WORDS}, not 'gateway-errors'; did you mean 'gateway-error'?",
        ),
        (
            "{retries: {attempts: 1, retryOn: '42'}}",
            f"retries.retryOn: {WORDS}, not '42'",
        ),
        (
            "{retries: {attempts: -1}}",
            "retries.attempts: must be a whole number from 0, not '-1'",
        ),
        (
            "{retries: {attempt: 1}}",
            "retries.attempt: the field 'attempt' is unknown; did you mean 'attempts'?",
        ),
        (
            "{retries: {attempts: 1, perTryTimeout: 2}}",
            "retries.perTryTimeout: must be a duration with its unit, such as 1s, not '2'",
        ),
        ("{timeout: 0.1ms}", "timeout: must be a duration from 1ms, not '0.1ms'"),
        ("{timeout: [1s]}", "timeout: must be a duration such as 1s, 500ms or 1m30s, not a list"),
        ("{retries: 3}", "retries: must be a mapping, not '3'"),
        ("{retries: {retryOn: [5xx]}}", "retries.retryOn: must be conditions with commas between"),
    ],
)
def test_what_acts_is_held_to_its_fields(route, fault):
    told = report(route)
    assert told.policy is None
    (error,) = told.errors
    assert f"{error.path}: {error.message}".startswith(f"{ROUTE}.{fault}")
    assert error.line == 8
    with pytest.raises(ManifestError):
        manifest.load(HEAD + f"  - {route}\n")


def test_what_else_is_odd_in_it_is_no_fault():
    assert said("{match: x, rewrite: {uri: [1]}}") == [None]
    assert report("x", "{fault: 3}").errors == ()
