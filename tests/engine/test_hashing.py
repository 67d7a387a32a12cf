"""`consistentHash` in the engine: by which part of a request it finds its endpoint."""

from collections import Counter
from itertools import cycle
from typing import Any

import attrs
import pytest

from support import policies as p
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.engine import Engine, Facts, Identity, Permit, Rejection
from trafficcore.engine.hashing import cookie_value, hash_of, query_value, set_cookie
from trafficcore.outcome import Outcome
from trafficcore.spec import ConsistentHash, HashCookie, LocalityLb, OutlierDetection, TrafficPolicy

ENDPOINTS = [f"10.0.0.{number}:80" for number in range(10)]


def rule(shadow: bool = False, **settings: Any) -> Any:
    policy = TrafficPolicy(
        hashing=ConsistentHash(**settings.pop("by", {"header": "x-user"})), **settings
    )
    return attrs.evolve(p.destination(), policy=policy, shadow=shadow)


def engine(*more: Any, endpoints: Any = ENDPOINTS, **settings: Any) -> Engine:
    kwargs = {name: settings.pop(name) for name in ("identity", "draw", "mode") if name in settings}
    return p.engine(rule(**settings), *more, endpoints={p.NAME: endpoints}, **kwargs)


def admit(engine: Engine, facts: Facts, now: float = 0) -> Permit:
    permit = engine.admit(facts, now)
    assert isinstance(permit, Permit), permit
    permit.settle(None, now, 200)
    return permit


def where(engine: Engine, now: float = 0, **facts: Any) -> str:
    endpoint = admit(engine, p.calling(**facts), now).endpoint
    return "" if endpoint is None else endpoint.address


def by_header(engine: Engine, value: str, now: float = 0) -> str:
    return where(engine, now, headers={"x-user": value})


@pytest.mark.parametrize("by", [{}, {"maglev": True, "size": 65537}], ids=["ring", "maglev"])
def test_calls_of_one_key_go_to_one_endpoint(by: dict[str, Any]) -> None:
    one = engine(by={"header": "x-user", **by})
    found = {str(user): by_header(one, str(user)) for user in range(200)}
    assert len(set(found.values())) == 10
    assert all(by_header(one, user) == address for user, address in found.items())
    other = engine(by={"header": "x-user", **by})  # another process is of the same mind
    assert all(by_header(other, user) == address for user, address in found.items())


def test_a_header_of_envoys_own_names_will_do() -> None:
    one = engine(by={"header": ":path"})
    found = {where(one, path=f"/{number}") for number in range(100)}
    assert len(found) == 10
    assert len({where(one, path="/a", query="b") for _ in range(3)}) == 1


def test_by_query_by_cookie_and_by_address() -> None:
    one = engine(by={"query": "q"})
    assert where(one, query="a=1&q=7") == where(one, query="q=7&q=8&z")
    assert len({where(one, query=f"q={number}") for number in range(100)}) == 10
    one = engine(by={"cookie": HashCookie(name="c")})
    jar = {"cookie": 'a=1; c="x"; c=y'}
    assert where(one, headers=jar) == where(one, headers={"cookie": "c=x"})
    one = engine(by={"source_address": True})
    assert len({where(one, address=f"10.1.0.{number}") for number in range(100)}) == 10
    assert len({where(one, address="10.1.0.1") for _ in range(20)}) == 1


@pytest.mark.parametrize(
    "by",
    [
        {"header": "x"},
        {"cookie": HashCookie(name="c")},
        {"query": "q"},
        {"source_address": True},
        {},
    ],
)
def test_without_the_key_an_endpoint_is_drawn(by: dict[str, Any]) -> None:
    one = engine(by=by, draw=cycle([0.05, 0.35, 0.65, 0.95]).__next__)
    assert len({where(one) for _ in range(8)}) == 4
    dealt = engine(by=by)  # and without chance they go round
    counts = Counter(where(dealt) for _ in range(1000))
    assert len(counts) == 10


def test_a_cookie_with_a_ttl_is_made_and_hashed() -> None:
    cookie = HashCookie(name="c", ttl=90.5, path="/p", attributes=(("Secure", ""), ("S", "Lax")))
    one = engine(by={"cookie": cookie}, draw=cycle([0.5, 0.25]).__next__)
    permit = admit(one, p.calling())
    assert permit.set_cookie == (
        'c="8000000000000000"; Max-Age=90; Path=/p; Secure; S=Lax; HttpOnly'
    )
    assert permit.endpoint is not None
    again = admit(one, p.calling(headers={"cookie": "c=8000000000000000"}))
    assert again.endpoint is permit.endpoint
    assert again.set_cookie is None
    empty = admit(one, p.calling(headers={"cookie": 'c=""'}))
    assert empty.set_cookie is not None
    assert empty.set_cookie.startswith('c="4000000000000000"')


def test_requests_beside_each_other_on_a_connection_get_one_cookie() -> None:
    one = engine(by={"cookie": HashCookie(name="c", ttl=0)}, draw=iter(()).__next__)
    made = {admit(one, p.calling(connection="7", address="1.2.3.4")).set_cookie for _ in range(3)}
    assert made == {f'c="{xxhash64(b"1.2.3.4 7"):016x}"; HttpOnly'}
    others = [
        {"address": "1.2.3.4"},
        {"connection": "7"},
        {"address": "1.2.3.5", "connection": "7"},
    ]
    made |= {admit(one, p.calling(**other)).set_cookie for other in others}
    assert len(made) == 4


def test_without_chance_each_call_has_a_cookie_of_its_own() -> None:
    one = engine(by={"cookie": HashCookie(name="c", ttl=1)})
    assert len({admit(one, p.calling()).set_cookie for _ in range(100)}) == 100


def test_a_cookie_without_a_ttl_is_never_made() -> None:
    assert admit(engine(by={"cookie": HashCookie(name="c")}), p.calling()).set_cookie is None


def test_an_ejected_endpoint_gives_its_keys_away_and_gets_them_back() -> None:
    outlier = OutlierDetection(
        consecutive_5xx=1, interval=5, base_ejection_time=20, max_ejection_percent=100
    )
    one = engine(by={"header": "x-user", "maglev": True, "size": 65537}, outlier=outlier)
    found = {str(user): by_header(one, str(user)) for user in range(300)}
    out = found["7"]
    bad = one.admit(p.calling(headers={"x-user": "7"}), 1)
    assert isinstance(bad, Permit)
    bad.settle(Outcome.FAILURE, 1, 500)
    later = {user: by_header(one, user, 2) for user in found}
    assert out not in later.values()
    moved = [user for user, address in later.items() if found[user] != address]
    own = [user for user, address in found.items() if address == out]
    assert set(own) <= set(moved)
    assert len(moved) <= 1.3 * len(own)
    shares = {e["address"]: e["share"] for e in one.snapshot(2)["clusters"][0]["endpoints"]}
    assert shares[out] == 0
    assert sum(shares.values()) == pytest.approx(1)
    assert {user: by_header(one, user, 100) for user in found} == found


def test_with_all_ejected_calls_are_refused_or_panic_asks_all() -> None:
    for panic, refused in ((0, True), (50, False)):
        outlier = OutlierDetection(
            consecutive_5xx=1, max_ejection_percent=100, min_health_percent=panic
        )
        one = engine(endpoints=["a:1"], outlier=outlier)
        permit = one.admit(p.calling(headers={"x-user": "7"}), 0)
        assert isinstance(permit, Permit)
        permit.settle(Outcome.FAILURE, 0, 500)
        verdict = one.admit(p.calling(headers={"x-user": "7"}), 1)
        assert isinstance(verdict, Rejection) is refused


def test_the_nearest_locality_has_its_say_first() -> None:
    outlier = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    places = [(f"a{n}:1", "r/a") for n in range(2)] + [(f"b{n}:1", "r/b") for n in range(8)]
    one = engine(endpoints=places, outlier=outlier, identity=Identity(locality="r/a"))
    users = [str(number) for number in range(200)]
    assert {by_header(one, user) for user in users} == {"a0:1", "a1:1"}
    bad = one.admit(p.calling(headers={"x-user": "0"}), 1)
    assert isinstance(bad, Permit)
    bad.settle(Outcome.FAILURE, 1, 500)
    counts = Counter(by_header(one, user, 2)[0] for user in users)
    assert 100 < counts["a"] < 170  # 70 % of the keys, and 30 % go on
    again = {user: by_header(one, user, 2) for user in users}
    assert again == {user: by_header(one, user, 3) for user in users}


def test_localities_by_weight() -> None:
    spread = LocalityLb(distribute=(("*", (("r/a", 90), ("r/b", 10))),))
    places = [(f"a{n}:1", "r/a") for n in range(2)] + [(f"b{n}:1", "r/b") for n in range(2)]
    one = engine(endpoints=places, locality=spread, identity=Identity(locality="r/c"))
    counts = Counter(by_header(one, str(number))[0] for number in range(1000))
    assert 840 < counts["a"] < 950


def test_a_quota_and_the_bound_of_calls_in_flight_come_before() -> None:
    one = engine(p.quota(capacity=5), max_requests=2, endpoints=["a:1"])
    held = [one.admit(p.calling(headers={"x-user": "1"}), 0) for _ in range(2)]
    assert all(isinstance(permit, Permit) for permit in held)
    full = one.admit(p.calling(headers={"x-user": "1"}), 0)
    assert isinstance(full, Rejection)
    assert full.status == 503


def test_in_shadow_nobody_is_chosen_by_key() -> None:
    one = engine(shadow=True)
    assert {by_header(one, "7") for _ in range(10)} == set(ENDPOINTS)
    off = engine(mode="off")
    assert {by_header(off, "7") for _ in range(10)} == set(ENDPOINTS)


def test_a_reload_keeps_tables_where_it_can_and_takes_new_settings() -> None:
    one = engine(by={"header": "x-user", "maglev": True, "size": 101})
    before = by_header(one, "7")
    one.reload(p.policy(rule(by={"header": "x-other", "maglev": True, "size": 101})))
    assert where(one, headers={"x-other": "7"}) == before
    one.reload(p.policy(rule(by={"query": "q"})))
    assert len({where(one, query="q=1") for _ in range(5)}) == 1
    one.reload(p.policy(p.destination()))
    assert len({by_header(one, "7") for _ in range(10)}) == 10


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("a=1; c=2", "2"),
        ("c=2", "2"),
        ('c="2"', "2"),
        ('c="', '"'),
        ("c=a=b", "a=b"),
        ("c=1; c=2", "1"),
        ("c=", None),
        ('c=""', None),
        ("cc=1", None),
        ("", None),
    ],
)
def test_a_cookie_is_read_as_envoy_reads_it(header: str, value: str | None) -> None:
    assert cookie_value(header, "c") == value


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("q=1", "1"),
        ("a=2&q=1&q=3", "1"),
        ("q", ""),
        ("q=", ""),
        ("q=a%20b", "a%20b"),
        ("qq=1", None),
    ],
)
def test_a_parameter_is_taken_as_it_came(query: str, value: str | None) -> None:
    assert query_value(query, "q") == value


def test_the_hash_of_a_text_is_that_of_its_bytes_however_long() -> None:
    assert hash_of("ü") == xxhash64("ü".encode())
    assert hash_of("x" * 1000) == xxhash64(b"x" * 1000)
    assert hash_of("\udcff") == xxhash64("\udcff".encode("utf-8", "surrogatepass"))


def test_a_cookie_of_no_ttl_is_one_of_the_session() -> None:
    assert set_cookie(HashCookie(name="c"), "1") == 'c="1"; HttpOnly'
