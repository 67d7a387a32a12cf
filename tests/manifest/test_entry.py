"""ServiceEntry, row by row: what it becomes, and every fault with its place."""

import pytest

from manifest.helpers import clean, document, faults, remarks, the_fault
from trafficcore import manifest
from trafficcore.spec import EndpointSpec, Policy, Resolution

NEVER = "has no effect in process"
PORT = "{number: 80, name: http, protocol: HTTP}"


def entry(more="", hosts="[api.example.com]", ports=f"[{PORT}]"):
    return document(
        "ServiceEntry", f"hosts: {hosts}\nports: {ports}\n{more}", "networking.istio.io/v1"
    )


def static(endpoints, **more):
    return entry(f"resolution: STATIC\nendpoints: {endpoints}\n", **more)


def the_entry(text):
    (found,) = manifest.load(text).entries
    return found


def addresses(text):
    return [endpoint.address for endpoint in the_entry(text).endpoints]


# -- what it becomes -----------------------------------------------------------------------------


def test_all_that_is_said_of_an_endpoint():
    text = static(
        "[{address: 10.0.0.1, locality: eu/a, weight: 2, labels: {version: v2}},"
        " {address: 'fd00::1', weight: 0}]"
    )
    found = the_entry(text)
    clean(text)
    assert (found.host, found.namespace, found.resolution) == (
        "api.example.com", "shop", Resolution.STATIC,
    )  # fmt: skip
    assert found.endpoints == (
        EndpointSpec("10.0.0.1", "eu/a", 2, {"version": "v2"}),
        EndpointSpec("[fd00::1]"),
    )
    assert (found.ports, found.export_to, found.idle) == ((80,), ("*",), "")
    assert str(found.source) == "ServiceEntry shop/it (<text>:7)"


def test_each_host_is_an_entry_and_short_ones_are_services_of_the_namespace():
    text = entry("resolution: DNS\n", hosts="[Web, api.example.com., api.example.com]")
    found = manifest.load(text).entries
    assert [(one.host, one.endpoints) for one in found] == [
        ("web.shop.svc.cluster.local", (EndpointSpec("web.shop.svc.cluster.local"),)),
        ("api.example.com", (EndpointSpec("api.example.com"),)),
    ]
    assert [one.source.rule for one in found] == [one.host for one in found]


@pytest.mark.parametrize(
    ("ports", "endpoint", "address"),
    [
        (f"[{PORT}]", "{address: 10.0.0.1}", "10.0.0.1"),
        (f"[{PORT}]", "{address: 10.0.0.1, ports: {http: 80}}", "10.0.0.1"),
        (f"[{PORT}]", "{address: 10.0.0.1, ports: {http: 8080}}", "10.0.0.1:8080"),
        (f"[{PORT}]", "{address: 'fd00::1', ports: {http: 8080}}", "[fd00::1]:8080"),
        ("[{number: 80, name: http, targetPort: 8080}]", "{address: 10.0.0.1}", "10.0.0.1:8080"),
        ("[{number: 80, name: http, targetPort: 8080}]",
         "{address: 10.0.0.1, ports: {http: 9090}}", "10.0.0.1:9090"),
        ("[{number: 80, name: http, targetPort: 8080}]",
         "{address: 10.0.0.1, ports: {http: 80}}", "10.0.0.1"),
        ("[]", "{address: 10.0.0.1}", "10.0.0.1"),
        (f"[{PORT}, {{number: 443, name: tls, protocol: TLS}}]", "{address: 10.0.0.1}", "10.0.0.1"),
    ],
)  # fmt: skip
def test_a_call_keeps_its_port_unless_the_endpoints_listen_on_another(ports, endpoint, address):
    assert addresses(static(f"[{endpoint}]", ports=ports)) == [address]


@pytest.mark.parametrize("resolution", ["DNS", "DNS_ROUND_ROBIN"])
def test_names_are_the_hosts_or_those_of_the_endpoints(resolution):
    assert addresses(entry(f"resolution: {resolution}\n")) == ["api.example.com"]
    moved = "[{number: 80, name: http, targetPort: 8080}]"
    assert addresses(entry(f"resolution: {resolution}\n", ports=moved)) == ["api.example.com:8080"]
    named = f"resolution: {resolution}\nendpoints: [{{address: eu.example.com, locality: eu}}]\n"
    found = the_entry(entry(named, hosts="['*.example.com']"))
    assert found.endpoints == (EndpointSpec("eu.example.com", "eu"),)


@pytest.mark.parametrize(
    ("more", "idle"),
    [
        ("", "resolution NONE"),
        ("resolution: NONE\n", "resolution NONE"),
        ("resolution: DYNAMIC_DNS\n", "resolution DYNAMIC_DNS"),
        ("resolution: STATIC\nworkloadSelector: {labels: {app: web}}\n",
         "a workloadSelector"),
    ],
)  # fmt: skip
def test_where_nobody_is_named_calls_go_where_they_would(more, idle):
    found = the_entry(entry(more))
    assert (found.idle, found.endpoints) == (idle, ())


# -- what does nothing here ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("location: MESH_INTERNAL", f"spec.location: {NEVER}"),
        ("addresses: [10.1.1.1, 10.2.0.0/16]",
         f"spec.addresses: {NEVER}: calls are known by their host"),
        ("subjectAltNames: [spiffe://x]",
         f"spec.subjectAltNames: {NEVER}: TLS verifies the name of the URL"),
        ("workloadSelector: {labels: {app: web}}",
         (f"spec.workloadSelector: {NEVER}: pods and workloads are not looked at; say who they are"
         " by endpoints=")),
        ("resolution: STATIC\nendpoints: [{address: 10.0.0.1, network: n1}]",
         f"spec.endpoints[0].network: {NEVER}: addresses are connected to"),
        ("resolution: STATIC\nendpoints: [{address: 10.0.0.1, serviceAccount: x}]",
         f"spec.endpoints[0].serviceAccount: {NEVER}"),
        ("resolution: STATIC\nendpoints: [{address: 10.0.0.1}, {address: 'unix:///run/x'}]",
         f"spec.endpoints[1].address: {NEVER}: no client here speaks over a Unix socket"),
    ],
)  # fmt: skip
def test_a_field_without_effect_is_named(more, told):
    assert remarks(entry(f"{more}\n")) == [told]


def test_endpoints_that_cannot_be_reached_are_left_out():
    text = static("[{network: n1}, {address: 10.0.0.1}, {address: 10.0.0.1, weight: 5}]")
    assert addresses(text) == ["10.0.0.1"]
    assert any("another network's gateway" in line for line in remarks(text))
    lone = "TC314"
    report = manifest.check(static("[{address: 'unix:///run/x'}]"))
    assert lone in [problem.code for problem in report.problems]
    assert lone in [
        problem.code for problem in manifest.check(entry("resolution: STATIC\n")).problems
    ]


@pytest.mark.parametrize(
    ("ports", "endpoints", "path"),
    [
        (f"[{PORT}, {{number: 443, name: tls, protocol: TLS}}]",
         "[{address: 10.0.0.1, ports: {tls: 8443}}]", "spec.endpoints[0].ports"),
        (f"[{PORT}, {{number: 443, name: tls, protocol: TLS, targetPort: 8443}}]",
         "[{address: 10.0.0.1}]", "spec.ports"),
    ],
)  # fmt: skip
def test_several_ports_that_are_others_at_the_endpoints_are_told(ports, endpoints, path):
    text = static(endpoints, ports=ports)
    (told,) = remarks(text)
    assert told.startswith(
        f"{path}: {NEVER} where there are several and endpoints listen on others"
    )
    found = the_entry(text)
    assert (found.endpoints, found.idle) == (
        (), "several ports, and endpoints that listen on others",
    )  # fmt: skip


def test_an_entry_is_never_in_shadow():
    text = entry().replace(
        "  name: it\n", "  name: it\n  annotations: {trafficcore/mode: shadow}\n"
    )
    assert remarks(text) == [
        "metadata.annotations['trafficcore/mode']: has no effect: it refuses nothing"
    ]


# -- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (document("ServiceEntry", "resolution: DNS\n", "networking.istio.io/v1"),
         "spec.hosts: is required"),
        (entry(hosts="[]"), "spec.hosts: must hold at least 1 item"),
        (entry(hosts="['*']"), "spec.hosts[0]: must be more than *, which every host is"),
        (entry(hosts="[a b]"), "spec.hosts[0]: must be a host name or a wildcard, not 'a b'"),
        (entry("resolution: DNS\n", hosts="['*.example.com']"),
         "spec.hosts[0]: is no name to look up: resolution DNS needs endpoints"),
        (entry("resolution: STATIK\n"),
         ("spec.resolution: must be one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS, not"
         " 'STATIK'")),
        (entry("endpoints: [{address: 10.0.0.1}]\n"),
         "spec.endpoints: must be absent with resolution NONE: calls go to the address they name"),
        (static("[{address: web.internal}]"),
         ("spec.endpoints[0].address: must be an IP address, with resolution STATIC, not"
         " 'web.internal'")),
        (entry("resolution: DNS\nendpoints: [{address: '*.x'}]\n"),
         "spec.endpoints[0].address: must be an IP address or a host name, not '*.x'"),
        (entry("resolution: DNS\nendpoints: [{address: 'unix:///run/x'}]\n"),
         "spec.endpoints[0].address: must be an IP address or a host name, not 'unix:///run/x'"),
        (entry("resolution: DNS_ROUND_ROBIN\nendpoints: [{address: a.x}, {address: b.x}]\n"),
         "spec.endpoints: must hold at most one with DNS_ROUND_ROBIN, not 2"),
        (static("[{weight: 2}]"), "spec.endpoints[0].address: is required"),
        (static("[{address: 10.0.0.1, weight: -1}]"),
         "spec.endpoints[0].weight: must be a whole number from 0, not '-1'"),
        (static("[{address: 10.0.0.1, ports: {grpc: 90}}]"),
         "spec.endpoints[0].ports: 'grpc' is no port of the service"),
        (static("[{address: 10.0.0.1, ports: {http: 0}}]"),
         "spec.endpoints[0].ports.http: must be a whole number from 1 to 65535, not '0'"),
        (static("[{address: 'unix:///run/x', ports: {http: 90}}]"),
         "spec.endpoints[0].ports: exclude an address that is a Unix socket"),
        (entry("workloadSelector: {}\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}]\n"),
         "spec: endpoints and workloadSelector exclude each other"),
        (entry("workloadSelector: {labels: {app: '*'}}\n"),
         "spec.workloadSelector.labels.app: must be a label's value, without *, not '*'"),
        (entry("addresses: [10.0.0.0/33]\n"),
         ("spec.addresses[0]: must be an IP address or a network such as 10.0.0.0/8, not"
         " '10.0.0.0/33'")),
        (entry("addresses: [10.0.0.0/8]\nresolution: DNS\n"),
         "spec.addresses[0]: must be an address: networks are for resolution NONE and STATIC"),
        (entry(ports="[{number: 80, name: a}, {number: 80, name: b}]"),
         "spec.ports: '80' is there twice"),
        (entry(ports="[{number: 80, name: a}, {number: 81, name: a}]"),
         "spec.ports: 'a' is there twice"),
        (entry(ports="[{number: 80}]"), "spec.ports[0].name: is required"),
        (entry(ports="[{number: 0, name: a}]"),
         "spec.ports[0].number: must be a whole number from 1 to 65535, not '0'"),
        (entry(ports="[{number: 80, name: a, protocol: SMTP}]"),
         ("spec.ports[0].protocol: must be one of GRPC, GRPC-WEB, HTTP, HTTP2, HTTPS, MONGO, MYSQL,"
         " REDIS, TCP, TLS, UDP, not 'SMTP'")),
        (entry("exportTo: [a, a]\n"), "spec.exportTo: 'a' is there twice"),
        (entry("resolution: DNS\n", hosts="[a.x, b.x]", ports="[{number: 1, name: a}]"),
         "spec.hosts: several hosts cannot be told apart on a port that is neither HTTP nor TLS"),
        (entry("location: OUTSIDE\n"),
         "spec.location: must be one of MESH_EXTERNAL, MESH_INTERNAL, not 'OUTSIDE'"),
        (entry("endpoint: []\n"),
         "spec.endpoint: the field 'endpoint' is unknown; did you mean 'endpoints'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_fault(text, told):
    assert the_fault(text) == told


def test_all_faults_are_told_at_once_with_their_places():
    text = entry(
        "resolution: STATIC\nendpoints:\n- {address: web, weight: x}\n- {adress: 10.0.0.1}\n",
        hosts="['*', 'a b']",
    )
    problems = manifest.check(text).errors
    assert [(one.line, one.column, one.path, one.value) for one in problems] == [
        (7, 11, "spec.hosts[0]", "*"),
        (7, 16, "spec.hosts[1]", "a b"),
        (11, 15, "spec.endpoints[0].address", "web"),
        (11, 28, "spec.endpoints[0].weight", "x"),
        (12, 6, "spec.endpoints[1].adress", "adress"),
    ]


def test_protocols_are_read_in_any_case_and_several_hosts_may_share_http():
    text = entry(
        "resolution: DNS\n", hosts="[a.x, b.x]", ports="[{number: 80, name: a, protocol: http2}]"
    )
    assert faults(text) == []
    assert isinstance(manifest.load(text), Policy)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_every_version_is_read(version):
    assert faults(entry().replace("istio.io/v1", f"istio.io/{version}")) == []


def test_a_part_of_a_label_is_no_wildcard_that_is_known_here():
    (told,) = remarks(entry(hosts="['*-api.example.com']"))
    assert told == (
        f"spec.hosts[0]: {NEVER}: of wildcards those that begin with *. are known"
    )  # fmt: skip


def test_addresses_may_stand_beside_names_and_lists_may_hold_what_is_told_already():
    text = entry("addresses: [10.1.1.1]\nresolution: DNS\n")
    assert remarks(text) == [f"spec.addresses: {NEVER}: calls are known by their host"]
    assert (
        the_fault(entry(hosts="[[a], b.example.com]"))
        == "spec.hosts[0]: must be a text, not a list"
    )
