"""TC3: ejection and localities that are legal and surely wrong."""

from trafficcore.manifest.codes.code import Code

__all__ = ["ENDPOINTS"]

_POLICY = "kind: DestinationRule\nspec:\n  host: {host}\n  trafficPolicy:\n"
_HEAD = _POLICY.format(host="web")
_HOSTS = (
    "kind: ServiceEntry\nspec:\n  hosts: [api.example.com]\n  resolution: STATIC\n"
    "  endpoints:\n{endpoints}---\n" + _POLICY.format(host="api.example.com")
)


def _known(*addresses: str) -> str:
    return _HOSTS.format(endpoints="".join(f"  - address: {it}\n" for it in addresses))


ENDPOINTS = (
    Code(
        id="TC301",
        name="ejects-nobody-if-few",
        severity="notice",
        title="With few hosts nobody is ever ejected",
        why="A host goes only while the share of those out, itself among them, stays within "
        "`maxEjectionPercent`. At the default of 10 % that takes ten hosts.",
        instead="Set `maxEjectionPercent` so that at least one host of the service is within it: "
        "50 for two or three. `trafficcore check --hosts web=3` says it for a known number.",
        example=_HEAD + "    outlierDetection: {consecutive5xxErrors: 5}\n",
    ),
    Code(
        id="TC302",
        name="ejects-nobody",
        severity="warning",
        title="Ejection can eject nobody",
        why="One host of those that are known is a larger share than `maxEjectionPercent` allows.",
        instead="Raise `maxEjectionPercent` to the share of one host at least.",
        example=_known("10.0.0.1", "10.0.0.2", "10.0.0.3")
        + "    outlierDetection: {maxEjectionPercent: 30}\n",
    ),
    Code(
        id="TC303",
        name="ejects-everybody",
        severity="warning",
        title="Every host may be ejected, and panic is off",
        why="`maxEjectionPercent: 100` lets the last host go, and without `minHealthPercent` "
        "nobody then asks the ejected ones: every call is refused until one returns.",
        instead="Set `minHealthPercent`, so that too few healthy hosts mean that all are asked, "
        "or stay below 100.",
        example=_HEAD + "    outlierDetection: {maxEjectionPercent: 100}\n",
    ),
    Code(
        id="TC304",
        name="single-host",
        severity="warning",
        title="There is a single host to eject",
        why="Below 100 % it is never ejected; at 100 % it goes, and every call fails for the "
        "ejection time. Neither is what ejection is for.",
        instead="Run a second host, or take the outlier detection out.",
        example=_known("10.0.0.1") + "    outlierDetection: {maxEjectionPercent: 50}\n",
    ),
    Code(
        id="TC305",
        name="locality-without-outlier",
        severity="warning",
        title="Localities are set without outlier detection",
        why="Without outlier detection nothing ever tells that a locality fails, and the mesh "
        "keeps to no locality at all: only `distribute` works alone.",
        instead="Put `outlierDetection` beside it, in the same policy.",
        example=_HEAD + "    loadBalancer:\n      localityLbSetting:\n"
        "        failover:\n        - {from: eu, to: us}\n",
    ),
    Code(
        id="TC306",
        name="locality-by-itself",
        severity="notice",
        title="Outlier detection turns locality on",
        why="Where the mesh's own locality setting is on, as it is by default, outlier detection "
        "makes every caller prefer its own zone: load becomes uneven as callers are.",
        instead="Say it: `loadBalancer.localityLbSetting.enabled`, true or false.",
        example=_HEAD + "    outlierDetection: {maxEjectionPercent: 50}\n",
    ),
    Code(
        id="TC307",
        name="zero-is-default",
        severity="warning",
        title="maxEjectionPercent 0 means 10",
        why="Istio hands a 0 on as nothing at all, and Envoy takes its default. It switches "
        "nothing off.",
        instead="Write 10, or take the outlier detection out.",
        example=_HEAD + "    outlierDetection: {maxEjectionPercent: 0}\n",
    ),
    Code(
        id="TC308",
        name="detects-nothing",
        severity="warning",
        title="Outlier detection detects nothing",
        why="Every count it could go by is 0, which switches it off.",
        instead="Write `consecutive5xxErrors` or `consecutiveGatewayErrors` above 0.",
        example=_HEAD + "    outlierDetection: {consecutive5xxErrors: 0}\n",
    ),
    Code(
        id="TC309",
        name="port-twice",
        severity="warning",
        title="A port has two settings",
        why="The first setting stands, and the other is not looked at.",
        instead="Keep one entry of `portLevelSettings` for each port.",
        example=_HEAD + "    portLevelSettings:\n"
        "    - {port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}\n"
        "    - {port: {number: 80}, outlierDetection: {maxEjectionPercent: 50}}\n",
    ),
    Code(
        id="TC310",
        name="half-a-pool",
        severity="warning",
        title="A bound of connections without the bound of those who wait for one, or the reverse",
        why="A call takes a connection or waits for one. Where any number may wait, a bound of "
        "connections refuses nobody; where there is no such bound, nobody waits.",
        instead="Set `tcp.maxConnections` and `http.http1MaxPendingRequests` together, or "
        "`http.http2MaxRequests`, which bounds the calls in flight by itself.",
        example=_HEAD + "    connectionPool: {tcp: {maxConnections: 100}}\n",
    ),
    Code(
        id="TC311",
        name="hash-of-nothing",
        severity="warning",
        title="A consistent hash has no key",
        why="Without a header, cookie, parameter or address to hash, every call goes to an "
        "endpoint drawn at random: none keeps to any.",
        instead="Name what tells callers apart, such as `httpHeaderName`; or `simple: RANDOM`.",
        example=_HEAD + "    loadBalancer: {consistentHash: {maglev: {}}}\n",
    ),
    Code(
        id="TC313",
        name="hash-of-no-address",
        severity="notice",
        title="Calls of a client have no source address",
        why="A sidecar hashes the address of the workload beside it, and so sends all its calls to "
        "one endpoint. In process a call has the address that the shell gives (that of the caller "
        "it is made for); without one it goes to an endpoint drawn at random.",
        instead="Hash a header, a cookie or a query parameter, or give `Facts` an `address`.",
        example=_HEAD + "    loadBalancer: {consistentHash: {useSourceIp: true}}\n",
    ),
    Code(
        id="TC314",
        name="static-without-endpoints",
        severity="warning",
        title="A service is declared with nobody to answer for it",
        why="With `resolution: STATIC` the endpoints are those of the list, and there is none that "
        "can be connected to: every call to the service is refused.",
        instead="List `endpoints`, or take `resolution: DNS` or `NONE`; `endpoints=` goes before "
        "what a ServiceEntry says.",
        example="kind: ServiceEntry\nspec:\n  hosts: [api.example.com]\n  resolution: STATIC\n",
    ),
    Code(
        id="TC315",
        name="panic-undoes-ejection",
        severity="notice",
        title="Panic begins before as many hosts are out as may be",
        why="While fewer than `minHealthPercent` of the hosts are healthy, and too few to take "
        "every call, all are called, also those that are out. Beyond that `maxEjectionPercent` "
        "ejects on paper.",
        instead="Keep `maxEjectionPercent` at 100 less `minHealthPercent`, or take it as it is "
        "meant: rather all than too few.",
        example=_HEAD + "    outlierDetection: {maxEjectionPercent: 60, minHealthPercent: 50}\n",
    ),
    Code(
        id="TC316",
        name="too-few-for-zones",
        severity="warning",
        title="There are too few hosts for zone-aware routing",
        why="Below `minClusterSize` healthy hosts, 6 where it is not written, calls go to all "
        "zones alike.",
        instead="Set `minClusterSize` to what the service has, or use `localityLbSetting`.",
        example=_known("10.0.0.1", "10.0.0.2", "10.0.0.3")
        + "    loadBalancer: {zoneAwareLbSetting: {enabled: true}}\n",
    ),
)
