"""TC5: hosts, routes and processes that a rule names and does not meet."""

from trafficcore.manifest.codes.code import Code

__all__ = ["SELECTION"]

_LIMIT = "    limit: {fill_interval: 1s, quota: 5}\n"
_LIMITER = "kind: ASMLocalRateLimiter\nspec:\n  configs:\n"
_SERVICE = "kind: Service\nmetadata: {name: web, namespace: shop}\nspec: {ports: [{port: 80}]}\n"


def _warning(code: str, name: str, title: str, why: str, instead: str, example: str) -> Code:
    return Code(
        id=code,
        name=name,
        severity="warning",
        title=title,
        why=why,
        instead=instead,
        example=example,
    )


SELECTION = (
    _warning(
        "TC501",
        "undeclared-host",
        "A rule is about a host that nothing declares",
        "A name that is misspelt matches no request, and the rule never acts. Looked at only "
        "where the set declares hosts: by a Service, ServiceEntry, VirtualService or Ingress, or "
        "by `--stands-for`.",
        "Take the name that the message suggests; declare the host beside the policies.",
        f"{_SERVICE}---\n{_LIMITER}  - match: {{vhost: {{name: wbe}}}}\n{_LIMIT}",
    ),
    _warning(
        "TC502",
        "undeclared-port",
        "A rule is about a port that its host does not have",
        "A rule's port is compared with the port that is declared for its host, and another one "
        "never meets a request.",
        "Write one of the host's ports, or leave the port out for all of them.",
        f"{_SERVICE}---\n{_LIMITER}  - match: {{vhost: {{name: web, port: 8080}}}}\n{_LIMIT}",
    ),
    _warning(
        "TC503",
        "undeclared-route",
        "A rule is about a route that nothing declares",
        "Routes have the names of a VirtualService's `http` entries, followed by a dot and the "
        "name of the match where it has one. Another name is met by no request.",
        "Take the name that the message suggests.",
        "kind: VirtualService\nspec:\n  hosts: [web]\n  http: [{name: checkout}]\n---\n"
        f"{_LIMITER}  - match: {{vhost: {{name: web, route: {{name_match: chekout}}}}}}\n{_LIMIT}",
    ),
    _warning(
        "TC504",
        "shadowed-route",
        "A route stands behind one that takes all its requests",
        "The first `http` entry that matches takes the request: this one is never reached.",
        "Put the narrower entry first; one without `match` belongs at the end.",
        "kind: VirtualService\nspec:\n  hosts: [web]\n  http:\n  - name: all\n"
        "  - name: api\n    match: [{uri: {prefix: /api}}]\n",
    ),
    _warning(
        "TC505",
        "destination-twice",
        "Two DestinationRules are about one host",
        "Of rules of one host in one namespace Istio merges the subsets and keeps the first "
        "`trafficPolicy`; which one is first depends on when each was made.",
        "Write one DestinationRule for the host.",
        "kind: DestinationRule\nmetadata: {name: a, namespace: shop}\nspec:\n  host: web\n"
        "  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}\n---\n"
        "kind: DestinationRule\nmetadata: {name: b, namespace: shop}\nspec:\n  host: web\n"
        "  trafficPolicy: {outlierDetection: {maxEjectionPercent: 50}}\n",
    ),
    _warning(
        "TC506",
        "virtual-service-twice",
        "Two VirtualServices are about one host",
        "Beside each other at one gateway only the routes of one of them are used, or both in an "
        "order that nobody wrote down.",
        "Write the routes of a host into one VirtualService.",
        "kind: VirtualService\nmetadata: {name: a, namespace: shop}\nspec: {hosts: [web]}\n---\n"
        "kind: VirtualService\nmetadata: {name: b, namespace: shop}\nspec: {hosts: [web]}\n",
    ),
    _warning(
        "TC507",
        "gateway-overruled",
        "isGateway says another thing than applyToTraffic",
        "The newer field decides, and the older one is not looked at.",
        "Leave `isGateway` out.",
        "kind: ASMLocalRateLimiter\nspec:\n  isGateway: true\n"
        f"  applyToTraffic: sidecar_inbound\n  configs:\n  - name: it\n{_LIMIT}",
    ),
    _warning(
        "TC508",
        "tests-presence-only",
        "A matcher tests no value",
        "An empty text is the same as none to the mesh: only the header's presence is tested.",
        "Write the value, `present_match: true`, or `is_exact_match_empty: true`.",
        f"{_LIMITER}  - match:\n      vhost: {{route: {{header_match: [{{name: x-user}}]}}}}\n"
        f"{_LIMIT}",
    ),
    _warning(
        "TC509",
        "overruled",
        "A field has no effect beside another",
        "The other one says all that is looked at.",
        "Leave it out.",
        f"{_LIMITER}  - limit_overrides:\n    - request_match:\n        query_match:\n"
        "        - {name: q, regex_match: a.*, ignore_case: true}\n"
        f"      limit: {{fill_interval: 1s, quota: 1}}\n{_LIMIT}",
    ),
    _warning(
        "TC510",
        "distribute-from-elsewhere",
        "distribute says nothing about where this process runs",
        "None of its `from` takes the locality that `--locality` gives: calls from there go to "
        "every locality alike.",
        "Add an entry for the locality, or one from `*`.",
        "kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n    loadBalancer:\n"
        "      localityLbSetting:\n        distribute: [{from: us/*, to: {us/*: 100}}]\n",
    ),
    _warning(
        "TC511",
        "undeclared-subset",
        "A route leads to a subset that nothing defines",
        "The mesh answers such calls with 503, and so does a process.",
        "Take the name that the message suggests, or define the subset in the DestinationRule.",
        "kind: DestinationRule\nspec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}\n"
        "---\nkind: VirtualService\nspec:\n  hosts: [web]\n  http:\n"
        "  - route: [{destination: {host: web, subset: v2}}]\n",
    ),
    _warning(
        "TC512",
        "subset-of-nobody",
        "No endpoint has the labels of a subset",
        "The ServiceEntries of the host list its endpoints, and none of them is in the subset: "
        "every call to it is answered with 503.",
        "Give `endpoints` of the ServiceEntry the `labels`, or take the subset out.",
        "kind: ServiceEntry\nspec:\n  hosts: [api.example.com]\n  resolution: STATIC\n"
        "  endpoints: [{address: 10.0.0.1, labels: {version: v1}}]\n---\n"
        "kind: DestinationRule\nspec:\n  host: api.example.com\n"
        "  subsets: [{name: v2, labels: {version: v2}}]\n",
    ),
)
