"""Limits of manifests that all workers share: asked for by the engine's maker or by the policy."""

import pytest

from support.policies import limit
from trafficcore import Engine, Facts, Permit, Rejection
from trafficcore.core.limit import Gcra
from trafficcore.errors import ConfigError, ManifestError
from trafficcore.live import sharing, workers
from trafficcore.manifest import check
from trafficcore.spec import Direction, Limit, LimitOverride, Policy, RequestMatch
from trafficcore.store import SharedGcra

MANIFEST = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata:
  name: api
  namespace: default
  annotations: {annotations}
spec:
  configs:
  - limit:
      fill_interval: {{seconds: 60}}
      quota: {quota}
"""


def manifest(share="", quota=3):
    annotations = f'{{"trafficcore/share": {share}}}' if share else "{}"
    return MANIFEST.format(annotations=annotations, quota=quota)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAFFICCORE_SHARE_DIR", str(tmp_path / "shared"))
    monkeypatch.setattr(sharing, "_files", {})
    yield sharing._files
    for file in sharing._files.values():
        file.close()


def admitted(engine, now=10.0):
    facts = Facts(Direction.INBOUND, "shop.example")
    return isinstance(engine.admit(facts, now), Permit)


def load(source, **settings):
    return Engine.load(source, listeners=(), **settings)


def test_two_engines_are_under_one_limit():
    one, other = (load(manifest(), share="host") for _ in range(2))
    assert [admitted(one), admitted(other), admitted(one), admitted(other)] == [
        True, True, True, False,
    ]  # fmt: skip
    refusal = other.admit(Facts(Direction.INBOUND, "shop.example"), 10.0)
    assert isinstance(refusal, Rejection)
    assert refusal.retry_at == pytest.approx(30, abs=0.001)
    assert admitted(one, 30.001)
    assert not admitted(other, 30.001)


def test_a_manifest_can_ask_for_it_itself():
    one, other = load(manifest("host")), load(manifest("host"))
    assert sum(admitted(engine) for engine in (one, other) for _ in range(5)) == 3


@pytest.mark.parametrize("share", [None, "local"])
def test_else_each_engine_counts_alone(share, files):
    one, other = load(manifest(), share=share), load(manifest(), share=share)
    assert sum(admitted(engine) for engine in (one, other) for _ in range(5)) == 6
    assert not files


def test_a_manifest_can_be_left_out_of_it(files):
    engine = load(manifest("local"), share="host")
    assert admitted(engine)
    assert not files


def test_a_share_that_there_is_not_is_a_fault():
    with pytest.raises(ManifestError, match="must be local or host, not 'fleet'"):
        load(manifest("fleet"))
    with pytest.raises(ConfigError, match="share must be one of local, host, not 'fleet'"):
        load(manifest(), share="fleet")


def test_what_shares_is_known_by_where_it_stands_and_by_its_numbers():
    assert sum(admitted(load(manifest(), share="host")) for _ in range(5)) == 3
    assert admitted(load(manifest(quota=4), share="host"))
    assert admitted(load(manifest().replace("name: api", "name: other"), share="host"))


def test_another_application_under_the_same_policy_is_another_limit():
    shop = [load(manifest(), share="host", labels={"app": "shop", "v": "1"}) for _ in range(2)]
    cart = load(manifest(), share="host", labels={"app": "cart"})
    assert sum(admitted(engine) for engine in shop for _ in range(5)) == 3
    assert sum(admitted(cart) for _ in range(5)) == 3


def test_a_reload_finds_the_same_bucket_and_other_numbers_another():
    engine = load(manifest(), share="host")
    assert admitted(engine)
    engine.reload()
    assert sum(admitted(engine) for _ in range(5)) == 2
    engine.reload(manifest(quota=4))
    assert sum(admitted(engine) for _ in range(5)) == 4
    engine.reload(manifest("local"))
    assert sum(admitted(engine) for _ in range(5)) == 3
    engine.reload(manifest())
    assert not admitted(engine)


def test_overrides_have_buckets_of_their_own():
    get, post = (RequestMatch(headers=()) for _ in range(2))
    numbers = {"fill_interval": 60}
    rule = limit(
        quota=3,
        overrides=(
            LimitOverride(get, Limit(quota=3, **numbers)),
            LimitOverride(post, Limit(quota=3, **numbers)),
        ),
    )
    engine = load(Policy(limits=(rule,)), share="host")
    buckets = [stage.bucket for stage in engine.policies.table.limits]
    assert all(isinstance(bucket, SharedGcra) for bucket in buckets)
    assert len({bucket._at for bucket in buckets}) == 3


def test_a_quota_of_0_and_one_for_each_connection_need_no_file(files):
    engine = load(manifest(quota=0), share="host")
    assert not admitted(engine)
    each = limit(quota=2, limit={"per_connection": True})
    assert admitted(load(Policy(limits=(each,)), share="host"))
    assert not files


def test_a_rate_that_no_file_holds_is_told():
    with pytest.raises(ConfigError, match="at most 1e6 a second, not 2000000"):
        load(Policy(limits=(limit(quota=2_000_000, fill=1),)), share="host")


def test_an_engine_made_by_hand_shares_nothing():
    engine = Engine(Policy(limits=(limit(quota=2),)))
    (stage,) = engine.policies.table.limits
    assert isinstance(stage.bucket, Gcra)


def test_a_limit_that_counts_alone_among_workers_is_told(monkeypatch, caplog):
    monkeypatch.setattr(workers, "_told", set())
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    load(manifest(), share="host")
    load(manifest("local"))
    load(manifest(), share="local")
    assert not caplog.records
    load(manifest())
    assert "'ASMLocalRateLimiter/default/api/spec.configs[0]/0" in caplog.messages[0]


def test_a_policy_whose_buckets_no_file_can_hold_says_so():
    text = """
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: q, annotations: {trafficcore/share: host}}
spec:
  quota_scheduler:
    bucket_capacity: 10
    fill_amount: 10
    rate_limiter: {interval: 1s}
    selectors: [{control_point: egress}]
"""
    (told,) = check(text).warnings
    assert told.path == "metadata.annotations['trafficcore/share']"
    assert told.message == "has no effect: only the buckets of ASMLocalRateLimiter can be shared"
