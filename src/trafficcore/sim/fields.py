"""The table of a scenario file: its fields, and the rules between them.

The language is that of the manifests (`trafficcore.manifest.fields`), so its faults read the same.
"""

from trafficcore.engine.istio_version import always_first
from trafficcore.errors import ConfigError
from trafficcore.manifest.common import METADATA
from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import (
    ANYTHING,
    STRINGS,
    ListOf,
    MapOf,
    at_most_one,
    exactly_one,
)
from trafficcore.manifest.types import BOOL, TEXT, Int, Number, Text
from trafficcore.sim.shapes import POSITIVE, TIME, Draw, Numbers, Sentence, Share
from trafficcore.spec import check_address

__all__ = ["SCENARIO", "TOP"]

_COUNT = Int(least=1, most=1_000_000)
_RATE = Number(least=0, most=1_000_000)
_STATUS = Int(least=200, most=599)
_OPEN = ("rate", "ramp", "steps", "bursts")


def _version(text: str) -> str | None:
    try:
        always_first(text)
    except ConfigError:
        return "a version such as 1.22"
    return None


_PROCESS = Object(
    (
        Field("labels", STRINGS),
        Field("namespace", Text(least=1), default="default"),
        Field("root_namespace", Text(least=1), default="istio-system"),
        Field("gateway", BOOL, default=False),
        Field("locality", TEXT),
        Field("istio", Text(check=_version, name="version")),
        Field("callers", MapOf(Int(least=0, most=1_000_000))),
        Field("hosts", MapOf(ListOf(TEXT))),
        Field("mode", Text(choices=("enforce", "shadow", "off")), default="enforce"),
        Field("max_waiting", Int(least=0, most=10_000_000), default=10_000),
    )
)

_WORK = (
    Field("latency", Draw(), default="1ms"),
    Field("capacity", Int(least=0, most=1_000_000), default=0),
    Field("queue", Int(least=0, most=10_000_000), default=1000),
    Field("errors", Share(), default=0),
    Field("error_status", _STATUS, default=503),
)


def _tell_server(record: Record, notes: Notes) -> None:
    if record.has("address") and record.get("count", 1) > 1:
        notes.error(record.key("count"), record.to("count"), "must be 1 beside an address")


_SERVER = Object(
    (
        Field("address", Text(least=1, check=check_address, name="address")),
        Field("locality", TEXT),
        Field("count", Int(least=1, most=100_000), default=1),
        Field("weight", Int(least=1, most=128), default=1),
        Field("labels", STRINGS),
        *_WORK,
    ),
    rules=(_tell_server,),
)


def _tell_failure(record: Record, notes: Notes) -> None:
    start, end = record.get("from", 0), record.get("until")
    if end is not None and end <= start:
        message = f"must be after from ({start:g}s), not {record.text('until')!r}"
        notes.error(record.at("until"), record.to("until"), message, record.text("until"))


_FAILURE = Object(
    (
        Field("endpoints", Numbers()),
        Field("zone", Text(least=1)),
        Field("from", TIME, default=0),
        Field("until", TIME),
        Field("share", Share(), default=1),
        Field("status", _STATUS),
        Field("latency", Draw()),
        Field("refused", BOOL, default=False),
        Field("hangs", BOOL, default=False),
    ),
    rules=(
        _tell_failure,
        at_most_one("refused", "hangs"),
        *(at_most_one(how, what) for how in ("refused", "hangs") for what in ("status", "latency")),
    ),
)
_SERVICE = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("endpoints", ListOf(_SERVER, least=1)),
        *_WORK,
        Field("failures", ListOf(_FAILURE)),
    )
)

_STEP = Object((Field("rate", _RATE, required=True), Field("for", POSITIVE, required=True)))
_RAMP = Object(
    (
        Field("from", _RATE, required=True),
        Field("to", _RATE, required=True),
        Field("over", POSITIVE, required=True),
    )
)
_BURSTS = Object((Field("size", _COUNT, required=True), Field("every", POSITIVE, required=True)))


def _tell_load(record: Record, notes: Notes) -> None:
    closed = record.has("clients")
    for name in ("think", "stagger", "warmup_calls", "backoff"):
        if record.has(name) and not closed:
            message = "is for clients that wait for their answers: it needs clients"
            notes.error(record.key(name), record.to(name), message)
    if record.has("arrivals") and not any(record.has(name) for name in ("rate", "ramp", "steps")):
        message = "needs rate, ramp or steps"
        notes.error(record.key("arrivals"), record.to("arrivals"), message)


_LOAD = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("url", Text(least=1), required=True),
        Field("method", Text(least=1), default="GET"),
        Field("direction", Text(choices=("inbound", "outbound")), default="inbound"),
        Field("control_point", Text(least=1)),
        Field("headers", STRINGS),
        Field("labels", STRINGS),
        Field("address", TEXT),
        Field("service", Text(least=1)),
        Field("start", TIME, default=0),
        Field("duration", POSITIVE),
        Field("calls", _COUNT),
        Field("timeout", POSITIVE),
        Field("refused_after", TIME, default="1ms"),
        Field("rate", _RATE),
        Field("ramp", _RAMP),
        Field("steps", ListOf(_STEP, least=1)),
        Field("bursts", _BURSTS),
        Field("arrivals", Text(choices=("even", "poisson")), default="even"),
        Field("clients", _COUNT),
        Field("think", Draw(), default="0s"),
        Field("stagger", TIME, default=0),
        Field("warmup_calls", Int(least=0, most=1000), default=0),
        Field("backoff", TIME, default=0),
    ),
    rules=(
        exactly_one("clients", *_OPEN),
        at_most_one("direction", "control_point"),
        _tell_load,
    ),
)

SCENARIO = Object(
    (
        Field("seed", Int(least=0, high=2**63 - 1, quoted=True), default=1),
        Field("duration", POSITIVE, default=60),
        Field("drain", TIME, default=60),
        Field("manifests", ListOf(Text(least=1))),
        Field("process", _PROCESS),
        Field("services", ListOf(_SERVICE)),
        Field("loads", ListOf(_LOAD, least=1), required=True),
        Field("expect", ListOf(Sentence())),
    )
)
TOP = Object(
    (
        Field("apiVersion", Text(choices=("trafficcore/v1",))),
        Field("kind", Text(choices=("Scenario",))),
        Field("metadata", METADATA),
        Field("spec", SCENARIO, required=True),
        Field("status", ANYTHING),
    )
)
