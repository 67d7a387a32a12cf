"""Where in its file a field of a document stands, found by its path after everything was read.

What is judged across rules knows a rule's `Source` and the path of a field in it; this finds the
line, for people and for the comments that silence.
"""

import re

from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence
from trafficcore.spec import Source

__all__ = ["Places"]

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


class Places:
    """The documents of one run by their identity."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str, str, str], tuple[Node, int]] = {}

    def add(self, source: Source, node: Node, path: str) -> None:
        """Keep a document; `path` is where it stands inside its List."""
        identity = (source.file, source.kind, source.namespace, source.name)
        self._documents[identity] = (node, len(_STEP.findall(path)))

    def find(self, source: Source, path: str) -> Node | None:
        """Return the field's key in its mapping, or the item of its list; None: not written."""
        found = self._walk(source, path)
        return found and found[0]

    def value(self, source: Source, path: str) -> Node | None:
        """Return what was written there; None: nothing."""
        found = self._walk(source, path)
        return found and found[1]

    def ports(self, source: Source, path: str) -> dict[str, str]:
        """Return the path of each port's setting in a list of `portLevelSettings`."""
        settings = self.value(source, path)
        found: dict[str, str] = {}
        for at in range(len(settings.items) if isinstance(settings, Sequence) else 0):
            number = self.value(source, f"{path}[{at}].port.number")
            if isinstance(number, Scalar):
                found.setdefault(number.text, f"{path}[{at}]")
        return found

    def _walk(self, source: Source, path: str) -> tuple[Node, Node] | None:
        known = self._documents.get((source.file, source.kind, source.namespace, source.name))
        if known is None:
            return None
        node, skipped = known
        found: tuple[Node, Node] | None = (node, node)
        for index, name in _STEP.findall(path)[skipped:]:
            if found is None:
                return None
            found = _item(found[1], int(index)) if index else _field(found[1], name)
        return found


def _item(node: Node, at: int) -> tuple[Node, Node] | None:
    if isinstance(node, Sequence) and at < len(node.items):
        return node.items[at], node.items[at]
    return None


def _field(node: Node, name: str) -> tuple[Node, Node] | None:
    if isinstance(node, Mapping):
        for key, value in node.entries:
            if key.text == name:
                return key, value
    return None
