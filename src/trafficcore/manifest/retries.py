"""VirtualService: the `timeout` and the `retries` of a route. The rest of it is not read like this.

They are the client transports' to carry out: nobody else sends a call. What Istio would do with no
word about it (two retries of what did not get through) is not done.
"""

from typing import Final

from trafficcore.manifest.fields import Effect, Field, Object, Record, join, nearest
from trafficcore.manifest.nodes import Node, Scalar
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.types import BOOL, FAULT, Duration, Fault, Int, mismatch
from trafficcore.manifest.units import duration
from trafficcore.spec import CONDITIONS, Retries, RetryCaps

__all__ = ["ROUTE", "read_route"]

_MILLI: Final = Duration(least=duration("1ms"))
#: What Istio tries again after where nothing is said.
_UNSAID: Final = ("connect-failure", "refused-stream", "unavailable", "cancelled")
#: Conditions of Envoy that are not told apart in process.
_ELSEWHERE: Final = frozenset(
    ("http3-post-connect-failure", "reset-before-request", "retriable-headers")
)


class _TimeOrOff:
    """A time, or 0s for none."""

    name = "duration"
    bounds = "from 1ms; 0s = off"
    forms = (Duration(),)

    def read(self, node: Node, path: str, notes: Notes) -> object:
        before = notes.errors
        value = Duration().read(node, path, notes)
        return value if notes.errors > before or not value else _MILLI.read(node, path, notes)


class _Conditions:
    """Conditions with commas between them, as in Envoy; a number is a status."""

    name = "text"
    bounds = "conditions of Envoy, or statuses, with commas between them"

    def read(self, node: Node, path: str, notes: Notes) -> tuple[str, ...] | Fault:
        if not isinstance(node, Scalar):
            return mismatch(node, path, "conditions with commas between them", notes)
        words = [word for part in node.text.split(",") if (word := part.strip())]
        found, wrong = [], False
        for word in words:
            if word in CONDITIONS or (word.isdecimal() and 100 <= int(word) <= 599):
                found.append(word)
            elif word in _ELSEWHERE:
                message = f"has no effect in process with {word}"
                notes.warn("TC902", node, path, message, node.text)
            else:
                wrong = True
                meant = nearest(word, CONDITIONS | _ELSEWHERE)
                message = f"must be of Envoy's conditions or statuses, not {short(word)}"
                message += f"; did you mean {meant!r}?" if meant else ""
                notes.error(node, path, message, node.text)
        return FAULT if wrong else tuple(found)


_RETRIES = Object(
    (
        Field("attempts", Int(least=0), note="how many retries; 0 or absent: none"),
        Field("perTryTimeout", _MILLI),
        Field("retryOn", _Conditions(), default=_UNSAID),
        Field("backoff", _MILLI, default=0.025),
        Field("retryIgnorePreviousHosts", BOOL, default=True),
        Field(
            "retryRemoteLocalities",
            BOOL,
            effect=Effect.WARNED,
            default=False,
            part=0,
            note="it goes by the same priorities as the first",
        ),
    )
)
#: What is read of an entry of `spec.http`, each field by itself.
ROUTE = Object((Field("timeout", _TimeOrOff()), Field("retries", _RETRIES)))


def read_route(nodes: dict[str, Node], path: str, notes: Notes) -> Retries | None:
    """Return what an entry of `spec.http` says of both; None: nothing, or nothing that is right."""
    read = {
        field.name: field.type.read(nodes[field.name], join(path, field.name), notes)
        for field in ROUTE.fields
        if field.name in nodes
    }
    if any(value is FAULT for value in read.values()):
        return None
    record, timeout = read.get("retries"), read.get("timeout") or None
    if isinstance(record, Record) and record.faulty("retryOn"):
        return None
    if not isinstance(record, Record) or not record.get("attempts"):
        if isinstance(record, Record):
            message = "nothing is tried again: attempts is 0, or absent"
            notes.warn("TC320", record.node, record.path, message)
        return None if timeout is None else Retries(0, (), timeout=timeout)
    return Retries(
        record.values["attempts"],
        record.get("retryOn", _UNSAID),
        per_try_timeout=record.get("perTryTimeout"),
        timeout=timeout,
        base_interval=record.get("backoff", 0.025),
        other_hosts=record.get("retryIgnorePreviousHosts", True),
        caps=RetryCaps(),
    )
