"""Who a process is, and which Hosts, names and ports mean which virtual host."""

import pytest

from support.policies import scope
from trafficcore import ConfigError
from trafficcore.engine.identity import Identity, host_matches, strip_port
from trafficcore.spec import Direction, Scope, Service

PRIVATE = "httpbin-00001-private.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Web.Example.com:8080", "web.example.com"),
        ("web.example.com.", "web.example.com"),
        ("web.example.com.:80", "web.example.com"),
        ("[::1]:8080", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("web:http", "web:http"),
        ("", ""),
    ],
)
def test_a_host_is_compared_without_port_case_and_trailing_dot(text: str, bare: str) -> None:
    assert strip_port(text) == bare


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("*", "a.b", True),
        ("a.b", "a.b", True),
        ("*.b", "a.b", True),
        ("*.b", "x.a.b", True),
        ("*.b", "b", False),
        ("*.b", ".b", False),
        ("*.b", "ab", False),
        ("a.b", "x.a.b", False),
    ],
)
def test_wildcards(pattern: str, host: str, fits: bool) -> None:
    assert host_matches(pattern, host) is fits


@pytest.mark.parametrize(
    ("rule", "host", "taken"),
    [
        # nothing declared: a rule's own name is its Host, whatever port the rule has
        (("web.example.com", 80), "web.example.com", True),
        (("web.example.com", 0), "web.example.com", True),
        (("web.example.com", 80), "other.example.com", False),
        # declared: the Hosts of the name, and the name itself; the declared port decides
        ((PRIVATE, 8012), "httpbin.default.example.com", True),
        ((PRIVATE, 0), "httpbin.default.example.com", True),
        ((PRIVATE, 80), "httpbin.default.example.com", False),
        ((PRIVATE, 8012), PRIVATE, True),
        ((PRIVATE, 80), PRIVATE, False),
        ((PRIVATE, 8012), "helloworld.default.example.com", False),
        # short names mean services of the own namespace
        ((PRIVATE, 8012), "httpbin-00001-private", True),
        ((PRIVATE, 8012), "httpbin-00001-private.default", True),
        ((PRIVATE, 8012), "httpbin-00001-private.default.svc", True),
        ((PRIVATE, 8012), "httpbin-00001-private.other", False),
        # a Host that is an alias of a declared name is still itself
        (("httpbin.default.example.com", 9999), "httpbin.default.example.com", True),
        # all virtual hosts: an undeclared one on any port, a declared one on its own
        (("*", 9080), "web.example.com", True),
        (("*", 9080), "httpbin.default.example.com", False),
        (("*", 8012), "httpbin.default.example.com", True),
        (("*.example.com", 8012), "httpbin.default.example.com", True),
    ],
)
def test_which_rule_takes_which_host(rule: tuple[str, int], host: str, taken: bool) -> None:
    identity = Identity(hosts={f"{PRIVATE}:8012": ["HttpBin.default.example.com:443"]})
    assert identity.takes(*rule, host) is taken


def test_two_ports_of_one_name_keep_their_hosts_apart() -> None:
    identity = Identity(hosts={"web:80": ["a"], "web:81": ["b"]})
    assert identity.takes("web", 80, "a")
    assert not identity.takes("web", 80, "b")
    assert identity.takes("web", 81, "b")
    assert identity.takes("web", 81, "web")


def test_a_name_declared_without_a_port_takes_rules_of_any() -> None:
    identity = Identity(hosts={"web.default.svc.cluster.local": ["x"]})
    assert identity.takes("web.default.svc.cluster.local", 7, "x")


def test_a_rule_is_for_a_namespace_a_selector_and_a_kind_of_proxy() -> None:
    web = Identity(labels={"app": "web", "version": "v1"})
    assert web.excludes(scope()) == ""
    assert web.excludes(scope(labels=(("app", "web"),))) == ""
    assert web.excludes(scope(labels=(("app", "activator"),))) == (
        "selector app=activator; this process is app=web"
    )
    assert "selector tier=x" in web.excludes(scope(labels=(("tier", "x"),)))
    other = Scope(direction=Direction.INBOUND, namespace="prod")
    assert web.excludes(other) == "namespace prod; this process is in default"
    root = Scope(direction=Direction.INBOUND, namespace="istio-system")
    assert web.excludes(root) == ""
    assert Identity(root_namespace="mesh").excludes(root).startswith("namespace istio-system")
    assert "gateway" in web.excludes(scope(gateway=True))
    assert Identity(gateway=True).excludes(scope(gateway=True)) == ""
    assert "this process is a gateway" in Identity(gateway=True).excludes(scope())


def test_of_a_wildcard_and_a_closer_name_the_closer_one_takes_the_host() -> None:
    identity = Identity()
    known = frozenset({"*.example.com", "*.b.example.com", "www.example.com"})
    wide = scope("*.example.com")
    assert identity.covers(wide, "x.example.com", known)
    assert not identity.covers(wide, "www.example.com", known)
    assert not identity.covers(wide, "a.b.example.com", known)
    assert identity.covers(scope("*.b.example.com"), "a.b.example.com", known)
    assert identity.covers(scope("*"), "www.example.com", known)


def test_services_are_taken_by_any_of_their_spellings() -> None:
    service = Scope(
        direction=Direction.OUTBOUND,
        namespace="default",
        services=(Service("httpbin.default.svc.cluster.local", 8000),),
    )
    identity = Identity()
    assert identity.covers(service, "httpbin", frozenset())
    assert not identity.covers(service, "other", frozenset())
    assert identity.about(service) == "outbound httpbin.default.svc.cluster.local:8000"
    assert identity.about(scope("a", 80)) == "inbound a:80"


def test_a_short_name_in_hosts_means_the_service_it_is_short_for() -> None:
    identity = Identity(namespace="shop", hosts={"cart:80": ["shop.example.com"]})
    for host in ("shop.example.com", "cart", "cart.shop.svc.cluster.local"):
        assert identity.takes("cart.shop.svc.cluster.local", 80, host), host
        assert not identity.takes("cart.shop.svc.cluster.local", 81, host), host
    assert not identity.takes("cart.other.svc.cluster.local", 80, "shop.example.com")


def test_a_text_where_hosts_belong_is_told() -> None:
    with pytest.raises(ConfigError, match="must be a list of Hosts, not the text"):
        Identity(hosts={"cart": "a.example.com"})
