"""What a YAML text is made of, each piece with its place and its source text.

Nothing is resolved here: `true` stays the text "true" until a field says what it wants.
"""

import attrs

__all__ = ["Mapping", "Node", "Scalar", "Sequence", "Spot"]


@attrs.frozen
class Spot:
    """A place in a text, both numbers from 1."""

    line: int
    column: int


class Scalar:
    """A text as it was written; `plain` says that it stood there without quotes."""

    __slots__ = ("column", "line", "plain", "text")

    def __init__(self, text: str, plain: bool, line: int, column: int) -> None:
        self.text = text
        self.plain = plain
        self.line = line
        self.column = column

    @property
    def is_null(self) -> bool:
        """Whether it stands for no value at all."""
        return self.plain and self.text in {"", "~", "null", "Null", "NULL"}


class Sequence:
    """A list."""

    __slots__ = ("column", "items", "line")

    def __init__(self, line: int, column: int) -> None:
        self.items: list[Node] = []
        self.line = line
        self.column = column


class Mapping:
    """Keys and values in their order.

    `faults` holds what is wrong with its keys (one that stands twice, a merge), each with the key
    what to say and its code: it is told where the mapping is read and forgotten where nobody reads
    it.
    """

    __slots__ = ("column", "entries", "faults", "line")

    def __init__(self, line: int, column: int) -> None:
        self.entries: list[tuple[Scalar, Node]] = []
        self.faults: list[tuple[Scalar, str, str]] = []
        self.line = line
        self.column = column


Node = Scalar | Sequence | Mapping
