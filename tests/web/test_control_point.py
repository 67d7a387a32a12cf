"""Shells that stand at a control point of the application's own."""

from typing import Any

import pytest

from conftest import Clock
from support.policies import engine, quota
from support.shells import environ, http_scope, plain, run, wsgi_plain
from trafficcore import AsgiTraffic, ConfigError, Engine, WsgiTraffic
from trafficcore.spec import QuotaSelector


def limits() -> Engine:
    """Three a minute come in, one a minute gets to the reports."""
    there = (QuotaSelector(control_point="reports"),)
    return engine(
        quota(3, 0.05, queue=False, denied_status=429),
        quota(1, 0.01, queue=False, selectors=there, denied_status=503),
    )


def call_wsgi(app: Any) -> int:
    seen: list[str] = []
    body = app(environ(), lambda status, headers, *_: seen.append(status))
    list(body)
    if hasattr(body, "close"):
        body.close()
    return int(seen[0][:3])


def test_only_policies_of_the_place_act_there(clock: Clock) -> None:
    own = limits()
    app = AsgiTraffic(plain, own, control_point="reports", clock=clock)
    assert [run(app).status for _ in range(3)] == [200, 503, 503]
    wsgi = WsgiTraffic(wsgi_plain, limits(), control_point="reports", clock=clock)
    assert [call_wsgi(wsgi) for _ in range(3)] == [200, 503, 503]
    traffic = own.snapshot(clock())["traffic"]
    assert traffic["inbound"]["admitted"] == 0
    assert traffic["application"] == {
        "admitted": 1, "in_flight": 0, "queued": 0, "refused": 2, "unmatched": 0,
    }  # fmt: skip


def test_a_place_stands_inside_what_the_same_engine_has_let_in(clock: Clock) -> None:
    own = limits()
    inner = AsgiTraffic(plain, own, control_point="reports", clock=clock)
    twice = AsgiTraffic(inner, own, control_point="reports", clock=clock)
    app = AsgiTraffic(AsgiTraffic(twice, own, clock=clock), own, clock=clock)
    assert [run(app, http_scope()).status for _ in range(4)] == [200, 503, 503, 429]
    own = limits()
    at = WsgiTraffic(wsgi_plain, own, control_point="reports", clock=clock)
    both = WsgiTraffic(WsgiTraffic(at, own, control_point="reports", clock=clock), own, clock=clock)
    assert [call_wsgi(both) for _ in range(4)] == [200, 503, 503, 429]


@pytest.mark.parametrize("shell", [AsgiTraffic, WsgiTraffic])
def test_headers_and_a_place_go_together_and_its_name_is_its_own(shell: Any, clock: Clock) -> None:
    app: Any = plain if shell is AsgiTraffic else wsgi_plain
    made = shell(app, limits(), headers="ietf", control_point="reports", clock=clock)
    ask = (lambda: run(made).status) if shell is AsgiTraffic else (lambda: call_wsgi(made))
    assert [ask() for _ in range(2)] == [200, 503]
    with pytest.raises(ConfigError, match="a name of its own, not 'egress'"):
        shell(app, limits(), control_point="egress")
