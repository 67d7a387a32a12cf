"""ServiceEntries in an engine: which of them decide, and where calls then go."""

import logging

import pytest

from support import policies as p
from trafficcore.engine import Engine, Identity, Permit, Rejection
from trafficcore.engine.discovery import Polled
from trafficcore.engine.finding import Finding
from trafficcore.spec import EndpointSpec, Resolution, ServiceEntry, Source

HOST = "api.example.com"


def entry(*addresses, host=HOST, namespace="default", name="api", resolution="STATIC", **more):
    return ServiceEntry(
        source=Source(file="p.yaml", line=1, kind="ServiceEntry", namespace=namespace, name=name),
        host=host,
        namespace=namespace,
        resolution=Resolution(resolution),
        endpoints=tuple(EndpointSpec(address) for address in addresses),
        **more,
    )


def named(resolution="DNS", **more):
    return entry("eu.example.com:80", resolution=resolution, **more)


def where(engine, host=HOST, calls=12):
    found = set()
    for _ in range(calls):
        permit = engine.admit(p.calling(host), 0)
        if isinstance(permit, Rejection):
            return permit.status
        found.add(permit.endpoint and permit.endpoint.address)
        permit.settle(None, 0, 200)
    return found


def why(engine):
    return [rule["why_not"] for rule in engine.snapshot(0)["rules"]]


def test_calls_go_to_the_endpoints_that_are_listed():
    engine = p.engine(entry("10.0.0.1", "10.0.0.2:8080"))
    assert where(engine) == where(engine, f"{HOST}:443") == {"10.0.0.1", "10.0.0.2:8080"}
    (rule,) = engine.snapshot(0)["rules"]
    assert (rule["kind"], rule["about"], rule["hits"]) == ("ServiceEntry", f"outbound {HOST}", 24)
    (cluster,) = engine.snapshot(0)["clusters"]
    assert cluster["name"] == HOST
    assert cluster["declared"] == ["ServiceEntry default/api (p.yaml:1)"]


def test_a_destination_rule_decides_over_an_entry_also_for_its_port():
    rule = p.destination(HOST, consecutive_5xx=1)
    engine = p.engine(rule, entry("10.0.0.1", "10.0.0.2", ports=(443,)))
    permit = engine.admit(p.calling(HOST), 0)
    assert isinstance(permit, Permit)
    permit.settle(None, 0, 503)
    assert where(engine) == {"10.0.0.1", "10.0.0.2"} - {permit.endpoint.address}
    assert engine.policies.table.rules[0].about == f"outbound {HOST}:443"
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it}
spec:
  host: api.example.com
  trafficPolicy:
    portLevelSettings:
    - port: {number: 443}
      connectionPool: {http: {http2MaxRequests: 1}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: it}
spec:
  hosts: [api.example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
"""
    engine = Engine.load(text, listeners=())
    assert isinstance(engine.admit(p.calling(HOST), 0), Permit)
    assert isinstance(engine.admit(p.calling(HOST), 0), Rejection)


def test_what_is_given_goes_before_what_is_declared():
    short = entry("10.0.0.1", host="api.default.svc.cluster.local")
    engine = p.engine(short, endpoints={"api": ["10.0.0.9:1"]})
    assert where(engine, "api") == {"10.0.0.9:1"}
    assert why(engine) == ["endpoints= says who they are"]
    engine.reload(endpoints={})
    assert where(engine, "api") == {"10.0.0.1"}


def test_a_static_entry_without_endpoints_refuses():
    assert where(p.engine(entry())) == 503


@pytest.mark.parametrize("resolution", ["NONE", "DYNAMIC_DNS"])
def test_where_nobody_is_named_calls_go_to_the_address_they_name(resolution):
    idle = entry(resolution=resolution, idle=f"resolution {resolution}")
    engine = p.engine(p.destination(HOST), idle)
    assert where(engine) == {None}
    assert engine.snapshot(0)["clusters"] == []
    has = f"has resolution {resolution}: calls go to the address they name"
    assert why(engine) == [f"ServiceEntry default/api (p.yaml:1) {has}", f"it {has}"]


@pytest.mark.parametrize(
    ("export_to", "seen"),
    [(("*",), True), ((".",), False), (("shop",), False), (("shop", "default"), True)],
)
def test_an_entry_is_for_those_it_is_exported_to(export_to, seen):
    engine = p.engine(entry("10.0.0.1", namespace="other", export_to=export_to))
    assert where(engine) == ({"10.0.0.1"} if seen else {None})
    (reason,) = why(engine)
    assert bool(reason) is not seen
    own = p.engine(
        entry("10.0.0.1", namespace="other", export_to=(".",)), identity=Identity(namespace="other")
    )
    assert where(own) == {"10.0.0.1"}


def test_entries_of_a_host_are_taken_together_and_the_own_namespace_goes_first():
    one, two = entry("10.0.0.1", "10.0.0.2", name="one"), entry("10.0.0.2", "10.0.0.3", name="two")
    assert where(p.engine(one, two)) == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    other = entry("10.0.0.9", namespace="a", name="other")
    engine = p.engine(other, one)
    assert where(engine) == {"10.0.0.1", "10.0.0.2"}
    assert why(engine) == ["ServiceEntry default/api (p.yaml:1) decides".replace("api", "one"), ""]
    far = Identity(namespace="far")
    engine = p.engine(other, one, identity=far)
    assert where(engine) == {"10.0.0.9"}
    assert why(engine)[1].endswith("a/other (p.yaml:1) decides")


def test_an_entry_that_finds_addresses_another_way_than_the_first_adds_nothing():
    engine = p.engine(entry("10.0.0.1"), named("DNS_ROUND_ROBIN", name="two"))
    assert where(engine) == {"10.0.0.1"}
    assert why(engine)[1].endswith("decides, by resolution STATIC")
    engine = p.engine(entry(resolution="NONE", idle="…"), entry("10.0.0.1", name="two"))
    assert where(engine) == {None}


def test_wildcards_stand_for_hosts_that_nothing_names_the_longest_first():
    engine = p.engine(
        entry("10.0.0.1", host="*.example.com"),
        entry("10.0.0.2", host="*.eu.example.com"),
        entry("10.0.0.3", host="a.eu.example.com"),
    )
    assert where(engine, "a.example.com") == {"10.0.0.1"}
    assert where(engine, "b.eu.example.com") == {"10.0.0.2"}
    assert where(engine, "a.eu.example.com:80") == {"10.0.0.3"}
    assert where(engine, "example.com") == {None}


def test_round_robin_by_names_is_one_endpoint_of_that_name():
    assert where(p.engine(named("DNS_ROUND_ROBIN"))) == {"eu.example.com:80"}


def test_names_are_looked_up_by_whoever_can_and_kept_over_reloads():
    asked = []

    def discover(specs):
        asked.append(specs)
        return Polled(lambda: ["10.0.0.1:80", "10.0.0.2:80"])

    engine = p.engine(named(), finding=Finding(discover=discover))
    assert where(engine) == {"10.0.0.1:80", "10.0.0.2:80"}
    engine.reload()
    assert where(engine) == {"10.0.0.1:80", "10.0.0.2:80"}
    assert asked == [(EndpointSpec("eu.example.com:80"),)]
    engine.reload(p.policy(named(), named(name="two", namespace="default")))
    assert len(asked) == 1  # the same names, by two entries
    engine.reload(p.policy(entry("us.example.com", resolution="DNS")))
    assert len(asked) == 2


def test_without_anybody_to_look_them_up_names_stay_names():
    engine = p.engine(named())
    assert where(engine) == {None}
    assert why(engine) == ["names are looked up by engines that were loaded"]


def test_a_load_reads_entries_beside_the_policies(tmp_path, caplog):
    (tmp_path / "api.yaml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: api}\n"
        "spec:\n  hosts: [api.example.com]\n  resolution: STATIC\n"
        "  endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
    )
    with caplog.at_level(logging.INFO, "trafficcore"):
        engine = Engine.load(tmp_path)
    assert where(engine) == {"10.0.0.1", "10.0.0.2"}
    assert "ServiceEntry default/api" in caplog.text
    assert "applies to outbound api.example.com" in caplog.text
