"""The article's four manifests answer the article's own requests as it shows.

They are read unedited from the shared folder where that is present, but for the 60 and the 2 that
the article's YAML has the wrong way round; elsewhere, from the demo's own policies.
"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from trafficcore import Engine, Facts, Permit, Rejection
from trafficcore.engine import Queued
from trafficcore.spec import Direction

SHARED = Path(__file__).parents[3] / "shared" / "manifests" / "asm"
PRIVATE = "httpbin-00001-private.default.svc.cluster.local"
ARTICLE = {
    "throttle": "01-throttle-as-in-the-article.yaml",
    "breaker": "02-slow-breaker-as-in-the-article.yaml",
    "outlier": "03-outlier-as-in-the-article.yaml",
    "quota": "04-quota-as-in-the-article.yaml",
}


def _shared(name: str) -> str:
    path = SHARED / ARTICLE[name]
    if not path.exists():
        pytest.skip("the shared manifests are not here")
    text = path.read_text("utf-8")
    return text.replace("seconds: 2", "seconds: 60").replace("quota: 60", "quota: 2")


def _own(name: str) -> str:
    text = (files("trafficcore.demo") / "policies" / f"{name}.yaml").read_text("utf-8")
    return text.replace("INTERVAL", "5s").replace("BASE", "20s")


@pytest.fixture(params=[_shared, _own], ids=["shared", "own"])
def text(request: pytest.FixtureRequest) -> Callable[[str], str]:
    read: Callable[[str], str] = request.param
    return read


def get(host: str, path: str = "/", **headers: str) -> Facts:
    return Facts(Direction.INBOUND, host, path, headers=headers)


def test_two_requests_a_minute(text: Callable[[str], str]) -> None:
    engine = Engine.load(
        text("throttle"), labels={"istio": "ingressgateway"}, namespace="istio-system", gateway=True
    )
    host = "helloworld-go.default.svc.cluster.local"
    answers = [engine.admit(get(host), now) for now in (10, 10.5, 11)]
    assert [isinstance(answer, Permit) for answer in answers] == [True, True, False]
    refusal = answers[2]
    assert isinstance(refusal, Rejection)
    assert (refusal.status, refusal.body) == (429, "local_rate_limited")
    assert isinstance(engine.admit(get("other.example.com"), 11), Permit)


def test_five_slow_answers_then_498(text: Callable[[str], str]) -> None:
    engine = Engine.load(
        text("breaker"),
        labels={"app": "activator"},
        namespace="knative-serving",
        hosts={f"{PRIVATE}:8012": ["httpbin.default.example.com"]},
    )
    for now in range(5):
        permit = engine.admit(get("httpbin.default.example.com", "/delay/1"), now)
        assert isinstance(permit, Permit)
        permit.started(200, now + 1)
        permit.settle(None, now + 1)
    refusal = engine.admit(get("httpbin.default.example.com", "/delay/1"), 5)
    assert isinstance(refusal, Rejection)
    assert (refusal.status, refusal.body) == (498, "delay break!")
    assert ("x-envoy-overload", "true") in refusal.headers
    assert refusal.retry_after == 60
    assert isinstance(engine.admit(get("helloworld.default.example.com"), 5), Permit)
    assert isinstance(engine.admit(get("httpbin.default.example.com"), 65), Permit)


def test_three_errors_and_a_host_is_out(text: Callable[[str], str]) -> None:
    engine = Engine.load(text("outlier"), endpoints={PRIVATE: ["a:80", "b:80"]})
    failed = 0
    while failed < 3:  # the article names no algorithm: least request draws
        permit = engine.admit(Facts(Direction.OUTBOUND, PRIVATE), 1)
        assert isinstance(permit, Permit)
        assert permit.endpoint is not None
        fails = permit.endpoint.address == "a:80"
        failed += fails
        permit.settle(None, 1, 500 if fails else 200)
    outs = [e["ejected"] for e in engine.snapshot(1)["clusters"][0]["endpoints"]]
    assert outs == [True, False]
    engine.admit(Facts(Direction.OUTBOUND, PRIVATE), 20.9)
    assert engine.snapshot(20.9)["clusters"][0]["endpoints"][0]["ejected"]
    engine.admit(Facts(Direction.OUTBOUND, PRIVATE), 21)
    assert not engine.snapshot(21)["clusters"][0]["endpoints"][0]["ejected"]


def test_guests_and_subscribers_share_one_to_four(text: Callable[[str], str]) -> None:
    engine = Engine.load(text("quota"), hosts={PRIVATE: ["httpbin.default.example.com"]})
    kinds: dict[object, str] = {}

    def ask(kind: str, now: float) -> None:
        verdict = engine.admit(get("httpbin.default.example.com", user_type=kind), now)
        if isinstance(verdict, Queued):
            kinds[verdict] = kind

    for _ in range(10):  # the full bucket goes to whoever is first
        ask("guest", 0)
    for kind in ("guest", "subscriber") * 10:
        ask(kind, 0)
    served = {"guest": 0, "subscriber": 0}
    for tenth in range(1, 301):
        ((ticket, permit),) = engine.poll(tenth / 10)
        assert isinstance(permit, Permit)
        permit.settle(None, tenth / 10, 200)
        served[kinds[ticket]] += 1
        ask(kinds[ticket], tenth / 10)
    assert served == {"guest": 60, "subscriber": 240}
