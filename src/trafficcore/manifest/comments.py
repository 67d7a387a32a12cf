"""Comments of a YAML text, which no parser hands on.

Law    A `#` at the start of a line or behind a blank begins a comment, unless it stands inside a
       scalar. Where scalars are is what the parser says, so quotes and blocks fool nobody.
Cost   None for a text without the mark; else the parser's own time once more.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import attrs
import yaml

from trafficcore.manifest.parse import LOADER

__all__ = ["Comment", "comments"]

_HASH = re.compile(r"(?<!\S)#")


@attrs.frozen(kw_only=True)
class Comment:
    """A comment from its `#` to the end of its line; `alone` where nothing stands before it."""

    text: str
    line: int
    column: int
    alone: bool


def comments(text: str, mark: str) -> Iterator[Comment]:
    """Yield the comments that hold `mark`, in their order."""
    if mark not in text:
        return
    starts, ends = _scalars(text)
    begun = 0
    for number, line in enumerate(text.split("\n"), 1):
        if mark in line:
            for found in _HASH.finditer(line):
                before = bisect_right(starts, begun + found.start()) - 1
                if before < 0 or ends[before] <= begun + found.start():
                    comment = line[found.start() :].rstrip()
                    if mark in comment:
                        alone = not line[: found.start()].strip()
                        yield Comment(
                            text=comment, line=number, column=found.start() + 1, alone=alone
                        )
                    break
        begun += len(line) + 1


def _marks(event: Any) -> tuple[Any, Any]:
    return event.start_mark, event.end_mark  # PyYAML's stubs allow for events of no text


def _scalars(text: str) -> tuple[list[int], list[int]]:
    """Return where scalars begin and end, up to the first fault of syntax."""
    starts: list[int] = []
    ends: list[int] = []
    try:
        events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                begin, end = _marks(event)
                starts.append(begin.index)
                ends.append(end.index)
    except (yaml.YAMLError, ValueError, OverflowError):
        pass  # told where the text is read, and a set with a fault has nothing to silence
    return starts, ends
