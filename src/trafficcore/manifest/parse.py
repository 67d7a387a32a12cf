"""YAML text to nodes that know their line, column and source text.

With `comments` the only file that sees YAML.

Law    Nodes are built from the parser's events in a loop, never by recursion, under budgets of
       depth, nodes and aliased nodes: what a hostile file can cost is known beforehand. Nothing
       is resolved here: `true` stays the text "true" until a field says what it wants.
State  One frame for each open collection; one entry for each anchor of the document.
Cost   About one microsecond an event over the parser's own 0.6 (libyaml).
Source YAML 1.1 as PyYAML reads it; `---` at the start of a line begins a document in every
       context, so after a fault the rest of a file is still read.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import yaml

from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence, Spot
from trafficcore.manifest.problems import Notes, short

__all__ = ["LIMITS", "Limits", "documents"]

LIBYAML = getattr(yaml, "CSafeLoader", None)
#: libyaml where it is there; PyYAML's own parser, ten times slower, elsewhere.
LOADER = LIBYAML or yaml.SafeLoader

_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEXT_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
#: How the two parsers say that a text ran out before something was closed.
_RAN_OUT = ("end of stream", "document separator", "document indicator")
_CORE = "tag:yaml.org,2002:"
_TAGS_OF_TEXT = frozenset(_CORE + name for name in ("str", "int", "bool", "float", "null"))


@attrs.frozen(kw_only=True)
class Limits:
    """What one file may cost. `size` is bytes; `restarts` bounds the faults of syntax followed."""

    size: int = 16 * 1024 * 1024 if LIBYAML else 1024 * 1024
    nodes: int = 500_000 if LIBYAML else 50_000
    depth: int = 100
    aliased: int = 100_000
    restarts: int = 20


LIMITS = Limits()


#: In the place of a key that is no text; its value is dropped.
_NO_KEY = Scalar("", False, 0, 0)


class _Refused(Exception):  # noqa: N818 - no error of ours: it never leaves this file
    """The rest of this document, or of this file, is not read."""

    def __init__(self, message: str, mark: Any, whole_file: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark
        self.whole_file = whole_file


class _Frame:
    """A collection that is still open."""

    __slots__ = ("anchor", "height", "key", "node", "seen", "size")

    def __init__(self, node: Sequence | Mapping, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.size = 1
        self.height = 1
        self.key: Scalar | None = None
        self.seen: dict[str, int] = {}

    def put(self, node: Node) -> None:
        if isinstance(self.node, Sequence):
            self.node.items.append(node)
        elif self.key is None:
            self.key = node if isinstance(node, Scalar) else self._no_key(self.node, node)
        else:
            self._pair(self.node, self.key, node)
            self.key = None

    def _no_key(self, mapping: Mapping, node: Node) -> Scalar:
        kind = "mapping" if isinstance(node, Mapping) else "list"
        key = Scalar("?", False, node.line, node.column)
        mapping.faults.append((key, f"a key must be a text, not a {kind}", "TC002"))
        return _NO_KEY

    def _pair(self, mapping: Mapping, key: Scalar, value: Node) -> None:
        if key is _NO_KEY:
            return
        first = self.seen.get(key.text)
        if key.text == "<<" and key.plain:
            message = "merge keys are not read: write the fields out (an alias of a value is fine)"
            mapping.faults.append((key, message, "TC002"))
        elif first is not None:
            message = f"stands here twice, in line {first} and in line {key.line}"
            mapping.faults.append((key, message, "TC006"))
        else:
            self.seen[key.text] = key.line
            mapping.entries.append((key, value))


class _Builder:
    """Builds the nodes of one run of the parser; counts over the whole file."""

    def __init__(self, notes: Notes, limits: Limits) -> None:
        self._notes = notes
        self._limits = limits
        self._nodes = 0
        self.line = 1  # of the text the parser was given, in the file
        self.begun = 0  # index of the document's start in that text
        self._forget()
        self._steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
        }

    def _forget(self) -> None:
        self._root: Node | None = None
        self._aliased = 0
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int, int] | None] = {}

    def run(self, text: str) -> Iterator[Node]:
        """Yield the root of each document that says something."""
        steps = self._steps
        self.begun = 0
        events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        for event in events:
            kind = type(event)
            step = steps.get(kind)
            if step is not None:
                step(event)
            elif kind is yaml.DocumentStartEvent:
                self._forget()
                self.begun = event.start_mark.index
            elif kind is yaml.DocumentEndEvent and self._root is not None:
                yield self._root

    def spot(self, mark: Any) -> Spot:
        return Spot(mark.line + self.line, mark.column + 1)

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        text = event.value
        plain = not event.style
        if event.tag is not None:
            self._tag(event, _TAGS_OF_TEXT)
            plain = plain and event.tag != _CORE + "str"
        if event.style == '"' and not text.isascii() and _SURROGATE.search(text):
            raise _Refused("half of a surrogate pair is no character", mark)
        node = Scalar(text, plain, mark.line + self.line, mark.column + 1)
        self._count(1, mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1, 0)
        self._add(node, 1, 0)

    def _open(self, event: Any) -> None:
        mark = event.start_mark
        kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
        if event.tag is not None:
            self._tag(event, (_CORE + ("map" if kind is Mapping else "seq"),))
        self._count(1, mark)
        self._deep(len(self._stack) + 1, mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Frame(kind(mark.line + self.line, mark.column + 1), event.anchor))

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.node, frame.size, frame.height)
        self._add(frame.node, frame.size, frame.height)

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        if event.anchor not in self._anchors:
            raise _Refused(f"the alias *{event.anchor} has no anchor before it", mark)
        known = self._anchors[event.anchor]
        if known is None:
            raise _Refused(f"the alias *{event.anchor} stands inside what it names", mark)
        node, size, height = known
        self._aliased += size
        if self._aliased > self._limits.aliased:
            message = f"aliases stand for more than {self._limits.aliased} nodes; not read"
            raise _Refused(message, mark)
        self._count(1, mark)
        self._deep(len(self._stack) + height, mark)
        self._add(node, size, height)

    def _add(self, node: Node, size: int, height: int) -> None:
        if not self._stack:
            self._root = None if isinstance(node, Scalar) and node.is_null else node
            return
        frame = self._stack[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        frame.put(node)

    def _count(self, nodes: int, mark: Any) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            message = f"a file may hold {self._limits.nodes} nodes; the rest of it is not read"
            raise _Refused(message, mark, whole_file=True)

    def _deep(self, depth: int, mark: Any) -> None:
        if depth > self._limits.depth:
            raise _Refused(f"nested deeper than {self._limits.depth} levels; not read", mark)

    def _tag(self, event: Any, known: frozenset[str] | tuple[str, ...]) -> None:
        tag: str = event.tag
        if tag not in known:
            written = tag.replace(_CORE, "!!", 1)
            text = f"the tag {short(written)} is not read: a manifest needs none"
            self._notes.error(self.spot(event.start_mark), "", text, tag, code="TC002")


def documents(text: str, notes: Notes, limits: Limits = LIMITS) -> Iterator[Node]:
    """Yield the root of each document; what cannot be read goes into the notes."""
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start())
        column = bad.start() - text.rfind("\n", 0, bad.start())
        notes.error(
            Spot(line + 1, column),
            "",
            f"{short(bad[0])} is no character of a YAML text",
            code="TC002",
        )
        return
    builder = _Builder(notes, limits)
    for _ in range(limits.restarts):
        try:
            yield from builder.run(text)
        except _Refused as refused:
            notes.error(builder.spot(refused.mark), "", refused.message, code="TC002")
            if refused.whole_file:
                return
            index = refused.mark.index
        except yaml.MarkedYAMLError as error:
            index = _tell(error, builder, notes)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # PyYAML's own parser lets chr() fail on "\UFFFFFFFF".
            notes.error(
                Spot(builder.line, 1), "", f"is not YAML: {short(str(error), 200)}", code="TC002"
            )
            return
        else:
            return
        found = _NEXT_DOCUMENT.search(text, max(index, builder.begun + 1))
        if found is None:
            return
        builder.line += text.count("\n", 0, found.start())
        text = text[found.start() :]
    notes.error(
        Spot(builder.line, 1),
        "",
        "too many faults; the rest of this file is not read",
        code="TC008",
    )


def _tell(error: yaml.MarkedYAMLError, builder: _Builder, notes: Notes) -> int:
    """Note a fault of syntax where a person would look for it; return its index."""
    mark = error.problem_mark or error.context_mark
    where = mark
    problem = error.problem or error.context or "cannot be read"
    if where is not None and error.context and error.context_mark:
        if any(words in problem for words in _RAN_OUT):
            where = error.context_mark  # what was opened, not where the text ran out
            problem = f"{error.context}: {problem}"
        elif error.context_mark.line != where.line:
            begun = error.context_mark.line + builder.line
            problem = f"{problem} ({error.context} that begins in line {begun})"
    if mark is None or where is None:
        notes.error(Spot(builder.line, 1), "", f"is not YAML: {problem}", code="TC002")
        return 0
    notes.error(builder.spot(where), "", f"is not YAML: {problem}", code="TC002")
    return mark.index
