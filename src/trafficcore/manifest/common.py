"""What all kinds share: the head of a document, who a policy is for, hosts, headers, patterns."""

import re
from collections.abc import Callable
from typing import Any

import attrs

from trafficcore.errors import ConfigError
from trafficcore.manifest.fields import Effect, Field, Object, Record, join
from trafficcore.manifest.nodes import Mapping, Node
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ANYTHING, STRINGS, MapOf
from trafficcore.manifest.types import TEXT, Int, Text
from trafficcore.spec import Direction, Source, pattern

__all__ = [
    "HEADERS_TO_ADD",
    "HOST",
    "METADATA",
    "PORT",
    "REGEX",
    "WORKLOAD_SELECTOR",
    "Document",
    "Kind",
    "apply_to_traffic",
    "headers",
    "tell_overload",
    "traffic",
]

LATER = "has no effect in this version"


@attrs.frozen(kw_only=True)
class Document:
    """The head of one manifest: who it is and where it stands."""

    file: str
    kind: str
    namespace: str
    name: str
    node: Node

    def source(self, node: Node, path: str, rule: str = "") -> Source:
        """Return the place of one of its rules."""
        return Source(
            file=self.file,
            line=node.line,
            column=node.column,
            kind=self.kind,
            namespace=self.namespace,
            name=self.name,
            path=path,
            rule=rule,
        )


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of manifest: its table, and what makes rules of a record that has no fault.

    `build` returns specs of any kind; a rule that cannot act here is left out, with a warning.
    """

    name: str
    group: str
    versions: tuple[str, ...]
    spec: Object
    build: Callable[[Record, Document, Notes], list[Any]]
    spec_required: bool = True
    #: Whether its rules can be in shadow.
    shadows: bool = True
    #: Whether its buckets can be in a file that processes share.
    shares: bool = False


def _meta(name: str, kind: Any = ANYTHING) -> Field:
    return Field(name, kind, effect=Effect.IGNORED)


METADATA = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("namespace", TEXT),
        _meta("labels", STRINGS),
        _meta("annotations", STRINGS),
        *(
            _meta(name)
            for name in (
                "generateName",
                "selfLink",
                "uid",
                "resourceVersion",
                "generation",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "ownerReferences",
                "finalizers",
                "managedFields",
                "clusterName",
            )
        ),
    )
)


# -- texts ---------------------------------------------------------------------------------------

_LABEL = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:\*|(?:\*-?)?{_LABEL})(?:\.{_LABEL})*\.?\Z")
_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+\Z")
_CONTROL = re.compile("[\0-\x08\n-\x1f\x7f]")


def _host(text: str) -> str | None:
    return None if len(text) <= 255 and _HOST.match(text) else "a host name or a wildcard"


def _regex(text: str) -> str | None:
    try:
        pattern(text)
    except ConfigError as error:
        return f"a regular expression ({error.__cause__ or error})"
    return None


def _header_name(text: str) -> str | None:
    return None if _HEADER_NAME.match(text) else "the name of a header"


def _header_value(text: str) -> str | None:
    return "a header value, without line breaks or controls" if _CONTROL.search(text) else None


HOST = Text(check=_host, name="host")
REGEX = Text(check=_regex, name="regex")
PORT = Int(least=1, most=65535)
HEADERS_TO_ADD = MapOf(Text(check=_header_value), least=1, check=_header_name)


def headers(record: Record, *names: str) -> tuple[tuple[str, str], ...]:
    """Merge maps of headers; of two that differ in case alone the last map wins."""
    merged: dict[str, tuple[str, str]] = {}
    for name in names:
        for header, value in record.get(name, ()):
            merged[header.lower()] = (header, value)
    return tuple(merged.values())


_MISSPELT, _OVERLOADED = "x-envoy-overload", "x-envoy-overloaded"


def tell_overload(record: Record, name: str, notes: Notes) -> None:
    """Warn about a header that is nearly the one clients look for."""
    for header, value in record.get(name, ()):
        if header.lower() == _MISSPELT:
            path = join(record.to(name), header)
            node = record.at(name)
            keys = node.entries if isinstance(node, Mapping) else ()
            place = next((key for key, _ in keys if key.text == header), node)
            message = f"clients look for {_OVERLOADED}; nobody looks for {header}"
            notes.warn("TC206", place, path, message, value)


# -- who a policy is for -------------------------------------------------------------------------

WORKLOAD_SELECTOR = Object((Field("labels", STRINGS),))

_GATEWAY, _INBOUND, _OUTBOUND = "gateway", "sidecar_inbound", "sidecar_outbound"
WAYPOINT = "waypoint"


def apply_to_traffic(name: str, *more: str) -> Field:
    """Make the field that says which traffic a policy looks at."""
    return Field(name, Text(choices=(_GATEWAY, _INBOUND, _OUTBOUND, *more)))


def traffic(text: str, is_gateway: bool) -> tuple[Direction, bool]:
    """Return the direction that `applyToTraffic` names, and whether it means gateways."""
    if not text:
        return Direction.INBOUND, is_gateway
    return (Direction.OUTBOUND if text == _OUTBOUND else Direction.INBOUND), text == _GATEWAY
