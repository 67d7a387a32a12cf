"""One document after another: its head, its kind, the items of a List, who it is.

Law    A kind that is known is read whole; one that is not is skipped and named. What
       `kubectl get … -o yaml` prints (a List, a status, managed fields) reads like what was
       applied. Two documents with one identity are a fault of both. A kind that is skipped may
       still declare something that the policies can be compared with.
"""

from collections.abc import Iterator
from typing import Any

import attrs

from trafficcore.errors import ConfigError
from trafficcore.manifest.asm_break import BREAKER
from trafficcore.manifest.asm_limit import LIMITER
from trafficcore.manifest.common import METADATA, Document, Kind
from trafficcore.manifest.declared import DECLARING, Declared, declare
from trafficcore.manifest.destination import DESTINATION
from trafficcore.manifest.entry import ENTRY
from trafficcore.manifest.fields import Effect, Field, Object, Record, join, nearest
from trafficcore.manifest.latency import AVERAGE_LATENCY_SCHEDULING
from trafficcore.manifest.load_ramp import LOAD_RAMPING
from trafficcore.manifest.nodes import Mapping, Node, Scalar
from trafficcore.manifest.places import Places
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.quota import QUOTA
from trafficcore.manifest.retries import ROUTE
from trafficcore.manifest.settings import read_settings
from trafficcore.manifest.shapes import ANYTHING, ListOf
from trafficcore.manifest.siblings import (
    CONCURRENCY_LIMITING,
    CONCURRENCY_SCHEDULING,
    RATE_LIMITING,
)
from trafficcore.manifest.silence import Silences
from trafficcore.manifest.types import TEXT, mismatch
from trafficcore.spec import (
    BreakRule,
    Destination,
    Policy,
    QuotaRule,
    RampRule,
    RateLimitRule,
    ServiceEntry,
)

__all__ = ["ACTING", "KINDS", "LATER_KINDS", "Reading", "top"]

KINDS = {
    kind.name: kind
    for kind in (
        LIMITER,
        BREAKER,
        DESTINATION,
        QUOTA,
        RATE_LIMITING,
        CONCURRENCY_LIMITING,
        CONCURRENCY_SCHEDULING,
        LOAD_RAMPING,
        AVERAGE_LATENCY_SCHEDULING,
        ENTRY,
    )
}

#: Kinds that mean something to this library, and will be read in time.
LATER_KINDS = frozenset(("WorkloadEntry",))
#: Kinds that are read for what the rules of others are about, and for nothing else.
READ_IN_PART = {
    "Ingress": "its hosts and what stands behind them",
    "VirtualService": "its hosts, its routes, their timeouts and retries, where they lead",
}
#: Their fields that act, each by itself.
ACTING = {"VirtualService": Object((Field("http", ListOf(ROUTE)),))}
#: What the simulator reads; it may stand beside the policies that it tries.
_SCENARIO = ("trafficcore/v1", "Scenario")
_LIST = "List"
_LIST_FIELDS = Object(
    (
        Field("apiVersion", TEXT),
        Field("kind", TEXT),
        Field("metadata", ANYTHING, effect=Effect.IGNORED),
        Field("items", ListOf(ANYTHING)),
    )
)
_CLOSE = 0.85


def top(kind: Kind) -> Object:
    """Return the whole table of a kind, from `apiVersion` to `status`."""
    return Object(
        (
            Field("apiVersion", TEXT),
            Field("kind", TEXT),
            Field("metadata", METADATA, required=True),
            Field("spec", kind.spec, required=kind.spec_required),
            Field("status", ANYTHING, effect=Effect.IGNORED),
        )
    )


_TABLES = {name: top(kind) for name, kind in KINDS.items()}


@attrs.define
class _Head:
    """What a document calls itself, and where it does so."""

    version: str
    kind: str
    version_node: Node
    kind_node: Node


class Reading:
    """What one run has read so far, over all files."""

    def __init__(self) -> None:
        self.places = Places()
        self.silences = Silences()
        self._specs: list[Any] = []
        self._declared: list[Declared] = []
        self._known: dict[tuple[str, str, str], str] = {}

    @property
    def declared(self) -> Declared:
        """All that was declared beside the policies."""
        return Declared(
            hosts=tuple(host for one in self._declared for host in one.hosts),
            virtual_services=tuple(it for one in self._declared for it in one.virtual_services),
            together=tuple(it for one in self._declared for it in one.together),
        )

    def policy(self, notices: tuple[str, ...]) -> Policy:
        """Return all rules, in the order they were read."""

        def of(kind: type) -> tuple[Any, ...]:
            return tuple(spec for spec in self._specs if isinstance(spec, kind))

        return Policy(
            limits=of(RateLimitRule),
            breakers=of(BreakRule),
            destinations=of(Destination),
            quotas=of(QuotaRule),
            ramps=of(RampRule),
            entries=of(ServiceEntry),
            declared=self.declared.for_engine(),
            notices=notices,
        )

    def read(self, node: Node, notes: Notes, path: str = "", inherited: str = "") -> None:
        """Read one document, or the items of a List; `inherited` is the kind its list names."""
        if not isinstance(node, Mapping):
            mismatch(node, path, "a mapping with apiVersion and kind", notes)
            return
        self.silences.document(node, path, notes)
        head = _head(node, inherited)
        stem = head.kind.removesuffix(_LIST)
        if not head.kind:
            notes.error(node, join(path, "kind"), "is required", code="TC005")
        elif head.kind in KINDS:
            self._known_kind(KINDS[head.kind], head, node, notes, path, bool(inherited))
        elif stem != head.kind and any(key.text == "items" for key, _ in node.entries):
            self._list(node, notes, path, stem)
        elif (head.version, head.kind) != _SCENARIO:
            _skip(head, notes)
            self._declare(head, node, path, notes)

    def _list(self, node: Mapping, notes: Notes, path: str, stem: str) -> None:
        record = _LIST_FIELDS.read(node, path, notes)
        if isinstance(record, Record):
            for at, item in enumerate(record.get("items", ())):
                self.read(item, notes, f"{join(path, 'items')}[{at}]", stem)

    def _known_kind(
        self, kind: Kind, head: _Head, node: Mapping, notes: Notes, path: str, listed: bool
    ) -> None:
        before = notes.errors
        versions = [f"{kind.group}/{version}" for version in kind.versions]
        if head.version not in versions and (head.version or not listed):
            if head.version:
                wanted = f"one of {', '.join(versions)} for the kind {kind.name}"
                mismatch(head.version_node, join(path, "apiVersion"), wanted, notes)
            else:
                notes.error(node, join(path, "apiVersion"), "is required", code="TC005")
        record = _TABLES[kind.name].read(node, path, notes)
        metadata = record.sub("metadata") if isinstance(record, Record) else None
        if not isinstance(record, Record) or metadata is None or "name" not in metadata.values:
            return
        document = Document(
            file=notes.file,
            kind=kind.name,
            namespace=metadata.get("namespace") or "default",
            name=metadata.values["name"],
            node=node,
        )
        self._identify(document, metadata, notes)
        self.places.add(document.source(node, path), node, path)
        settings = read_settings(metadata, notes, shadows=kind.shadows, shares=kind.shares)
        spec = record.sub("spec")
        if notes.errors > before:
            return
        if spec is None:
            notes.warn("TC106", node, join(path, "spec"), "is absent: the policy does nothing")
            return
        if kind.name in DECLARING:
            self._declare(head, node, path, notes)
        try:
            self._specs += map(settings.of, kind.build(spec, document, notes))
        except ConfigError as error:  # the spec has the last word on what can work
            notes.error(spec.node, spec.path, str(error))

    def _declare(self, head: _Head, node: Mapping, path: str, notes: Notes) -> None:
        group = DECLARING.get(head.kind)
        if group is None or not head.version.startswith(group):
            return
        metadata = dict(_scalars(node, "metadata"))
        document = Document(
            file=notes.file,
            kind=head.kind,
            namespace=metadata.get("namespace", "") or "default",
            name=metadata.get("name", ""),
            node=node,
        )
        source = document.source(node, join(path, "spec"))
        self.places.add(source, node, path)
        self._declared.append(declare(node, source, notes))

    def _identify(self, document: Document, metadata: Record, notes: Notes) -> None:
        place = metadata.at("name")
        identity = (document.kind, document.namespace, document.name)
        here = f"{document.file}:{place.line}"
        first = self._known.setdefault(identity, "")
        if not first:
            self._known[identity] = here
        else:
            who = f"{document.kind} {document.namespace}/{document.name}"
            message = f"{who} is there twice: in {first} and in {here}"
            notes.error(place, metadata.to("name"), message, document.name, code="TC006")


def _head(node: Mapping, inherited: str) -> _Head:
    head = _Head("", inherited, node, node)
    for key, value in node.entries:
        if isinstance(value, Scalar) and not value.is_null:
            if key.text == "kind":
                head.kind, head.kind_node = value.text, value
            elif key.text == "apiVersion":
                head.version, head.version_node = value.text, value
    return head


def _scalars(node: Mapping, name: str) -> Iterator[tuple[str, str]]:
    """Yield what stands in one of a document's mappings, as far as it is text."""
    for key, value in node.entries:
        if key.text == name and isinstance(value, Mapping):
            for inner, text in value.entries:
                if isinstance(text, Scalar) and not text.is_null:
                    yield inner.text, text.text


#: Kinds of the mesh that are policies of another sort: their names are no misspelling of ours.
_OTHERS = frozenset(
    (
        "ASMAdaptiveConcurrency",
        "ASMCircuitBreakerConfig",
        "ASMCompressor",
        "ASMGlobalRateLimiter",
        "ASMGrpcJsonTranscoder",
        "ASMHeaderPropagation",
        "ASMSwimLane",
        "ASMSwimLaneGroup",
    )
)


def _skip(head: _Head, notes: Notes) -> None:
    part = (
        READ_IN_PART.get(head.kind)
        if head.version.startswith(DECLARING.get(head.kind, "?"))
        else None
    )
    if part is not None:
        message = f"of kind {head.kind} {part} are read, and nothing else"
        notes.notice("TC904", head.kind_node, "", message)
        return
    if head.kind in LATER_KINDS | _OTHERS:
        notes.notice(
            "TC904", head.kind_node, "", f"kind {head.kind} is not read in this version; skipped"
        )
        return
    meant = nearest(head.kind, KINDS, _CLOSE)
    name = head.kind if head.kind.isidentifier() and len(head.kind) <= 60 else short(head.kind)
    if meant:
        message = f"kind {name} is unknown; skipped; did you mean {meant}?"
        notes.warn("TC905", head.kind_node, "", message, head.kind)
    else:
        notes.notice(
            "TC904", head.kind_node, "", f"kind {name} is no traffic policy; skipped", head.kind
        )
