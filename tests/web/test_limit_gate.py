"""Limits in front of an application: which requests, which keys, all or nothing, and the answer."""

import json

import pytest

from trafficcore.engine import Rejection
from trafficcore.errors import ConfigError
from trafficcore.limits import Limit, header
from trafficcore.web.limits import LimitGate


def scope(path="/", method="GET", **headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": pairs,
        "client": ("9.9.9.9", 1),
    }


def ask(gate, now=0, path="/", method="GET", **headers):
    answer = gate.admit(scope(path, method, **headers), method, path, now)
    return answer if isinstance(answer, Rejection) else len(answer)


def test_a_limit_admits_its_burst_and_then_refuses_with_the_wait():
    gate = LimitGate([Limit("2/min")])
    assert [ask(gate), ask(gate)] == [1, 1]
    refusal = ask(gate)
    assert (refusal.status, refusal.body) == (429, "local_rate_limited")
    assert ("x-envoy-ratelimited", "true") in refusal.headers
    assert refusal.retry_after == pytest.approx(30, abs=1e-3)
    assert ask(gate, 30.001) == 1


@pytest.mark.parametrize(
    ("on", "met", "not_met"),
    [
        ("*", ["GET /", "POST /a/b"], []),
        ("/v1/*", ["GET /v1/x", "PUT /v1/x/y", "GET /v1/"], ["GET /v1", "GET /v2/x", "GET /av1/x"]),
        ("POST /orders", ["POST /orders"], ["GET /orders", "POST /orders/", "POST /ordersx"]),
        ("GET|HEAD /a", ["GET /a", "HEAD /a"], ["POST /a"]),
        ("GET /a", ["GET /a", "HEAD /a"], ["POST /a"]),
        ("/users/{id}", ["GET /users/7"], ["GET /users/7/x", "GET /users"]),
        ("/users/*/posts", ["GET /users/7/posts"], ["GET /users/7/8/posts"]),
        (["/a", "POST /b"], ["GET /a", "POST /b"], ["GET /b"]),
        ("/a.b", ["GET /a.b"], ["GET /axb", "GET /a.b\n"]),
        (lambda facts: facts.path == "/f", ["GET /f"], ["GET /g"]),
    ],
)
def test_on_says_which_requests(on, met, not_met):
    gate = LimitGate([Limit("1/day", capacity=100, on=on)])
    for text in met * 2:
        method, path = text.split(" ", 1)
        assert ask(gate, path=path, method=method) == 1, text
    for text in not_met * 2:
        method, path = text.split(" ", 1)
        assert ask(gate, path=path, method=method) == 0, text


def test_keys_have_buckets_of_their_own_and_none_is_not_met():
    gate = LimitGate([Limit("1/min", by=header("x-api-key"))])
    assert ask(gate, x_api_key="a") == 1
    assert isinstance(ask(gate, x_api_key="a"), Rejection)
    assert ask(gate, x_api_key="b") == 1
    assert [ask(gate) for _ in range(5)] == [0] * 5


def test_several_limits_are_one_verdict_all_or_nothing():
    gate = LimitGate([Limit("10/min", name="wide"), Limit("1/min", name="narrow", on="/x")])
    assert ask(gate, path="/x") == 2
    assert isinstance(ask(gate, path="/x"), Rejection)
    assert gate["wide"].left("", 0)[0] == 9
    assert [ask(gate) for _ in range(9)] == [1] * 9
    refusal = ask(gate)
    assert isinstance(refusal, Rejection)
    assert gate["wide"].refused == 1
    assert gate["narrow"].refused == 1


def test_costs_by_number_and_by_request():
    gate = LimitGate([Limit("10/min", cost=lambda facts: float(facts.headers["x-cost"]), name="a")])
    assert ask(gate, x_cost="7") == 1
    assert isinstance(ask(gate, x_cost="4"), Rejection)
    assert ask(gate, x_cost="3") == 1
    assert isinstance(ask(gate, x_cost="11"), Rejection)


def test_what_was_paid_can_be_given_back():
    gate = LimitGate([Limit("3/min", cost=2, name="a")])
    met = gate.admit(scope(), "GET", "/", 0)
    gate.give_back(met, 0)
    assert gate["a"].left("", 0)[0] == 3


def test_exempt_requests_are_not_met():
    gate = LimitGate([Limit("1/day", exempt=lambda facts: facts.path == "/health")])
    assert [ask(gate, path="/health") for _ in range(3)] == [0] * 3
    assert ask(gate) == 1


def test_shadow_counts_and_refuses_nothing_and_can_be_switched():
    gate = LimitGate([Limit("1/day", shadow=True, name="a")])
    assert [ask(gate), ask(gate), ask(gate)] == [1, 1, 1]
    assert gate.snapshot(0)[0]["shadowed"] == 2
    gate["a"].shadow = False
    assert isinstance(ask(gate), Rejection)


def test_the_answer_is_as_the_limit_words_it():
    limit = Limit("1/day", status=503, body="later", headers=(("x-why", "quota"),), name="a")
    gate = LimitGate([limit])
    ask(gate)
    refusal = ask(gate)
    assert (refusal.status, refusal.body) == (503, "later")
    assert ("x-why", "quota") in refusal.headers


def test_a_problem_document_by_choice():
    gate = LimitGate([Limit("1/day", name="daily")], problem=True)
    ask(gate)
    refusal = ask(gate)
    assert ("content-type", "application/problem+json") in refusal.headers
    body = json.loads(refusal.body)
    assert body["type"].endswith("#quota-exceeded")
    assert (body["status"], body["violated-policies"]) == (429, ["daily"])


def test_the_memo_of_paths_is_bounded():
    gate = LimitGate([Limit("1/s", capacity=10_000)])
    for number in range(5000):
        ask(gate, path=f"/{number}")
    ask(gate, path="/" + "a" * 60_000)
    assert 0 < len(gate._memo) <= 1024
    assert max(len(path) for _, path in gate._memo) <= 256


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limit("fast"), "rate must be a number or a text"),
        (lambda: Limit("1/s", on="v1"), "on must be a path such as"),
        (lambda: Limit("1/s", on=[]), "on must name a path"),
        (lambda: Limit("1/s", on="get /v1"), "on must be a path such as"),
        (lambda: Limit("1/s", status=200), "a refusal's status must be from 400 to 599, not 200"),
        (lambda: Limit("1/s", cost=2), "cost must be above 0 and at most 1, not 2"),
        (lambda: Limit("1/s", cost=float("nan")), "cost must be above 0"),
        (lambda: Limit("1/s", name="é"), "printable ASCII"),
        (lambda: LimitGate(["1/s"]), "limits must be Limit"),
        (
            lambda: LimitGate([Limit("1/s", name="a"), Limit("2/s", name="a")]),
            "two limits have the name 'a'",
        ),
        (lambda: LimitGate([Limit("1/s", by="key")]), "by must be a key"),
        (
            lambda: LimitGate([Limit("1/s")], headers="all"),
            "headers must be one of none, ietf, envoy",
        ),
        (lambda: LimitGate([Limit("1/s", name="a")])["b"], "no limit is named 'b': there is a"),
    ],
)
def test_what_cannot_be_is_told_at_construction(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_limits_that_look_at_no_path_are_found_without_one():
    everywhere = LimitGate([Limit("2/min", name="a"), Limit("1/min", by=header("x-key"))])
    assert everywhere.decide(everywhere.everywhere, scope(x_key="k"), 0)
    assert isinstance(everywhere.decide(everywhere.everywhere, scope(x_key="k"), 0), Rejection)
    assert len(everywhere.decide(everywhere.everywhere, scope(), 0)) == 1
    for on in ("/*", "GET *", ["*"], lambda facts: True):
        assert LimitGate([Limit("1/min"), Limit("2/min", on=on)]).everywhere is None


@pytest.mark.parametrize(("percent", "least", "most"), [(0, 0, 0), (100, 990, 990), (30, 220, 380)])
def test_a_percentage_of_refusals_is_carried_out(percent, least, most):
    gate = LimitGate([Limit(0, capacity=10, enforced=percent, name="a")])
    refused = sum(isinstance(ask(gate), Rejection) for _ in range(1000))
    assert least <= refused <= most
    assert gate["a"].refused == refused
    assert gate["a"].shadowed == 990 - refused


@pytest.mark.parametrize(
    ("percent", "least", "most"), [(0, 0, 0), (100, 1000, 1000), (30, 230, 370)]
)
def test_a_percentage_of_requests_is_looked_at(percent, least, most):
    gate = LimitGate([Limit(0, capacity=1000, enabled=percent, name="a")])
    met = sum(ask(gate) for _ in range(1000))
    assert least <= met <= most
    assert gate["a"].left("", 0)[0] == 1000 - met


def test_known_keys_have_their_own_bucket_whatever_the_flood():
    limit = Limit("1/min", by=header("x-api-key"), max_keys=10, known="vip".__eq__, name="a")
    gate = LimitGate([limit])
    for number in range(100):
        ask(gate, x_api_key=f"made-up-{number}")
    assert ask(gate, x_api_key="vip") == 1
    assert isinstance(ask(gate, x_api_key="vip"), Rejection)


def test_a_limit_is_shared_by_the_workers_of_a_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAFFICCORE_SHARE_DIR", str(tmp_path / "shared"))
    plain = [Limit("3/h", share="host", name="gate-plain")]
    keyed = [Limit("3/h", share="host", name="gate-keyed", by=header("x-api-key"))]
    for limits in (plain, keyed):
        one, other = LimitGate(limits), LimitGate(limits)
        answers = [ask(gate, 50.0, x_api_key="k") for gate in (one, other, one, other)]
        assert [isinstance(answer, Rejection) for answer in answers] == [False] * 3 + [True]
        assert one.limits[0].left("k", 50.0) == (0, 1200)


def test_each_member_has_its_part():
    gate = LimitGate([Limit("100/min", members=4, name="a")])
    assert sum(not isinstance(ask(gate), Rejection) for _ in range(100)) == 25


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limit("1/s", enforced=101), "enforced must be a percentage from 0 to 100"),
        (lambda: Limit("1/s", enabled=-1), "enabled must be a percentage from 0 to 100"),
        (lambda: Limit("1/s", share="host", known=bool), "known goes with buckets of this process"),
        (lambda: LimitGate([Limit("1/s", share="host")]), "needs a name"),
        (lambda: LimitGate([Limit("1/s", share="all")]), "share must be one of local, host"),
        (lambda: LimitGate([Limit("1/s", members=0)]), "members must be a whole number from 1"),
    ],
)
def test_what_cannot_be_shared_or_drawn_is_told(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LimitGate([Limit("1/s", by=header)]), r"write header\(…\), with its parentheses"),
        (lambda: LimitGate([Limit("1/s", by=lambda a, b: "x")]), "a function of one argument"),
        (lambda: Limit("1/s", on="GETT /v1/x"), "'GETT' is none"),
        (lambda: Limit("1/s", body={"a": 1}), "body must be a text"),
        (lambda: Limit("1/s", headers=("x-a", "b")), "headers must be a mapping or pairs"),
        (lambda: Limit("1/s", headers={"x-a": "b\r\nx: y"}), "a header must be one line"),
        (lambda: Limit("1/s", status="429"), "status must be from 400 to 599, not '429'"),
        (lambda: Limit("1/s", cost="2"), "cost must be a number or a function, not '2'"),
        (lambda: LimitGate(Limit("1/s")), "put this one into brackets"),
    ],
)
def test_slips_are_told_when_the_limit_is_written_down(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_headers_may_be_a_mapping():
    gate = LimitGate([Limit("1/day", headers={"x-why": "quota"})])
    ask(gate)
    assert ("x-why", "quota") in ask(gate).headers


@pytest.mark.parametrize("fault", ["by", "cost", "exempt", "on"])
def test_a_function_that_raises_costs_no_token(fault):
    def boom(_):
        raise RuntimeError("boom")

    gate = LimitGate([Limit("2/h", name="a"), Limit("9/h", name="b", **{fault: boom})])
    for _ in range(3):
        with pytest.raises(RuntimeError):
            ask(gate)
    assert gate["a"].left("", 0)[0] == 2


def test_a_refusal_says_when_all_limits_would_grant():
    gate = LimitGate([Limit("1/min", name="quick"), Limit("1/h", name="slow")], headers="ietf")
    assert ask(gate) == 2
    refusal = ask(gate)
    assert refusal.retry_after == pytest.approx(3600, abs=0.01)
    told = dict(refusal.headers)["ratelimit"]
    assert '"quick"' in told
    assert '"slow"' in told


def test_in_shadow_an_answer_tells_of_the_limit_all_the_same():
    gate = LimitGate([Limit("1/min", name="a", shadow=True)], headers="ietf")
    met = [gate.admit(scope(), "GET", "/", 0.0) for _ in range(2)]
    assert [gate.write(each, 0.0)[1][1] for each in met] == ['"a";r=0;t=60'] * 2
    gate.give_back(met[1], 0.0)
    assert gate["a"].left("", 0.0)[0] == 0
    gate.give_back(met[0], 0.0)
    assert gate["a"].left("", 0.0)[0] == 1


def test_new_keys_that_share_a_bucket_are_told_of_once(caplog):
    gate = LimitGate([Limit("1/h", capacity=1, by=header("x-key"), max_keys=2, name="keys")])
    for number in range(6):
        ask(gate, x_key=str(number))
    assert caplog.messages == ["limit 'keys': all 2 keys are in use; new ones share one bucket"]


@pytest.mark.parametrize(
    ("exempt", "left_out", "met"),
    [
        ("/health", ["GET /health", "POST /health"], ["GET /", "GET /health/x"]),
        (["/health", "GET /static/*"], ["GET /health", "GET /static/a/b"], ["POST /static/a"]),
        ([], [], ["GET /"]),
        (lambda facts: facts.path == "/health", ["GET /health"], ["GET /"]),
    ],
)
def test_exempt_is_said_in_the_words_of_on(exempt, left_out, met):
    gate = LimitGate([Limit("1/day", capacity=100, exempt=exempt)])
    stages = [gate.everywhere] if gate.everywhere is not None else []
    for text, count in [*((text, 0) for text in left_out), *((text, 1) for text in met)] * 2:
        method, path = text.split(" ", 1)
        assert ask(gate, path=path, method=method) == count, text
        for each in stages:  # what a shell asks where it need not look at paths
            assert len(gate.decide(each, scope(path, method), 0)) == count


@pytest.mark.parametrize("what", ["by", "on", "exempt", "cost"])
def test_a_function_whose_answer_would_have_to_be_awaited_is_told(what):
    async def later():
        return "anything"

    gate = LimitGate([Limit("1/day", **{what: lambda facts: later()})])
    with pytest.raises(ConfigError):
        ask(gate)
