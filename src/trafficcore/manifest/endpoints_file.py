"""Endpoints in a file of their own: a YAML or JSON list, each a text or an object.

    - 10.0.0.1:9080
    - {address: "10.0.0.2:9080", locality: eu/a, weight: 2, labels: {version: v2}}

`[]` says that nobody is there. A file without a list, as one that is being written may be for a
moment, says nothing and is a fault.
"""

from typing import Any

from trafficcore.errors import ManifestError
from trafficcore.manifest.fields import Field, Object
from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence
from trafficcore.manifest.parse import documents
from trafficcore.manifest.problems import Ledger, Notes, short
from trafficcore.manifest.shapes import STRINGS, ListOf
from trafficcore.manifest.sources import Source, Sources
from trafficcore.manifest.types import FAULT, TEXT, Fault, Int, Text
from trafficcore.spec import EndpointSpec, check_address

__all__ = ["WEIGHT", "read_endpoints_file"]

_ADDRESS = Text(least=1, check=check_address, name="address")
WEIGHT = Int(least=1, high=2**32 - 1, name="uint32")
_ENDPOINT = Object(
    (
        Field("address", _ADDRESS, required=True),
        Field("locality", TEXT, default=""),
        Field("weight", WEIGHT, default=1),
        Field("labels", STRINGS),
    )
)


class _Item:
    """One endpoint, as a text or as an object."""

    name = "endpoint"
    bounds = ""

    def read(self, node: Node, path: str, notes: Notes) -> EndpointSpec | Fault:
        """Read one; see `Type`."""
        if isinstance(node, Scalar):
            text = _ADDRESS.read(node, path, notes)
            return text if isinstance(text, Fault) else EndpointSpec(text)
        before = notes.errors
        record = _ENDPOINT.read(node, path, notes)
        if isinstance(record, Fault) or notes.errors > before:
            return FAULT
        values = record.values
        return EndpointSpec(
            values["address"],
            values.get("locality", ""),
            values.get("weight", 1),
            values.get("labels", ()),
        )


_LIST = ListOf(_Item())


def read_endpoints_file(source: Source) -> tuple[EndpointSpec, ...]:
    """Read the endpoints that a file lists; raises `ManifestError` with every fault in it."""
    ledger = Ledger()
    found: list[Any] = []
    for text, notes in Sources(ledger).texts(source):
        nodes = list(documents(text, notes))
        if len(nodes) == 1:
            values = _LIST.read(nodes[0], "", notes)
            found += () if isinstance(values, Fault) else values
            _tell_repeats(nodes[0], notes)
        elif not notes.errors:
            notes.error(None, "", f"must hold one list of endpoints, not {len(nodes)} documents")
    if ledger.errors:
        raise ManifestError(ledger.errors)
    return tuple(found)


def _tell_repeats(node: Node, notes: Notes) -> None:
    """Note each address that stands there again."""
    seen: set[str] = set()
    for at, item in enumerate(node.items if isinstance(node, Sequence) else ()):
        for place in _address(item):
            if place.text in seen:
                message = f"{short(place.text)} is there twice"
                notes.error(place, f"[{at}]", message, place.text, code="TC006")
            seen.add(place.text)


def _address(item: Node) -> list[Scalar]:
    """Return where an endpoint has its address, if it has one."""
    if isinstance(item, Mapping):
        found = [value for key, value in item.entries if key.text == "address"]
        return [value for value in found if isinstance(value, Scalar)]
    return [item] if isinstance(item, Scalar) else []
