"""What is wrong with a manifest, or worth telling about it, each with its place.

An *error* keeps the whole set from loading. A *warning* says that something loads but does less
than it says, a *notice* that something was left out on purpose; both are grouped: one entry for
each message about each field, with a count and the first place.
"""

import re
from typing import Protocol

import attrs

__all__ = ["ERROR", "NOTICE", "WARNING", "Ledger", "Notes", "Problem", "short"]

ERROR = "error"
WARNING = "warning"
NOTICE = "notice"

#: Nobody reads more; a file with more faults says so in its last line.
MOST_ERRORS_A_FILE = 1000
MOST_REMARKS = 1000

_INDEX = re.compile(r"\[\d+\]")
_LIST_ITEM = re.compile(r"^(?:items\[\d+\]\.?)+")


class Place(Protocol):
    """Anything that knows its line and column, both from 1."""

    @property
    def line(self) -> int:
        """The line, from 1."""
        ...

    @property
    def column(self) -> int:
        """The column, from 1."""
        ...


@attrs.frozen(kw_only=True)
class Problem:
    """One fault, warning or notice.

    `path` leads to the field inside its document, `value` is what stood there. Lines and columns
    count from 1; 0 where there is none (a file that cannot be read). `count` says how often a
    warning came up; the place is the first.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    message: str
    value: str = ""
    severity: str = ERROR
    count: int = 1

    @property
    def place(self) -> str:
        """`file:line:column`, as editors and terminals make a link of it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        text = f"{self.place} {self.path}: {self.message}" if self.path else self._bare()
        return text if self.count == 1 else f"{text} ({self.count} times)"

    def _bare(self) -> str:
        return f"{self.place}: {self.message}"

    @property
    def remark(self) -> str:
        """The same for people who asked for policies, not for a list: the field comes first."""
        first = f"{self.file}:{self.line}" if self.line else self.file
        where = first if self.count == 1 else f"{self.count} times, first {first}"
        return f"{self._subject()} ({where})"

    def _subject(self) -> str:
        path = general(self.path)
        if not path:
            return self.message
        if self.message.startswith("has no effect"):
            return f"field {path} {self.message}"
        return f"{path}: {self.message}"


def general(path: str) -> str:
    """Forget the indexes of a path, and the place of its document inside a List."""
    return _INDEX.sub("[]", _LIST_ITEM.sub("", path))


def short(text: str, most: int = 60) -> str:
    """Quote a text so that it stays on one line and short, whatever it holds."""
    return repr(text) if len(text) <= most else repr(text[:most]) + "…"


class Ledger:
    """All problems of one run over any number of files."""

    def __init__(self) -> None:
        self.errors: list[Problem] = []
        self._remarks: dict[tuple[str, str, str], tuple[Problem, list[int]]] = {}

    def remark(self, problem: Problem) -> None:
        """Count a warning or notice under its field and message."""
        key = (problem.severity, general(problem.path), problem.message)
        known = self._remarks.get(key)
        if known is not None:
            known[1][0] += 1
        elif len(self._remarks) < MOST_REMARKS:
            self._remarks[key] = (problem, [1])

    @property
    def remarks(self) -> list[Problem]:
        """Warnings and notices, in the order they first came up."""
        return [
            problem if count == [1] else attrs.evolve(problem, count=count[0])
            for problem, count in self._remarks.values()
        ]


class Notes:
    """Writes the problems of one file into the ledger."""

    def __init__(self, file: str, ledger: Ledger) -> None:
        self.file = file
        self.errors = 0
        #: Above 0 inside a field that has no effect as a whole: its parts need no remark.
        self.muted = 0
        self._ledger = ledger

    def error(self, at: Place | None, path: str, message: str, value: str = "") -> None:
        """Write down a fault."""
        self.errors += 1
        if self.errors < MOST_ERRORS_A_FILE:
            self._ledger.errors.append(self._problem(at, path, message, value, ERROR))
        elif self.errors == MOST_ERRORS_A_FILE:
            message = f"has {MOST_ERRORS_A_FILE} faults or more; the rest are not listed"
            self._ledger.errors.append(self._problem(at, "", message, "", ERROR))

    def warn(self, at: Place | None, path: str, message: str, value: str = "") -> None:
        """Write down that something loads and does less than it says."""
        if not self.muted:
            self._ledger.remark(self._problem(at, path, message, value, WARNING))

    def notice(self, at: Place | None, path: str, message: str, value: str = "") -> None:
        """Write down that something was left out, or is worth knowing."""
        if not self.muted:
            self._ledger.remark(self._problem(at, path, message, value, NOTICE))

    def _problem(
        self, at: Place | None, path: str, message: str, value: str, severity: str
    ) -> Problem:
        return Problem(
            file=self.file,
            line=at.line if at is not None else 0,
            column=at.column if at is not None else 0,
            path=path,
            message=message,
            value=value,
            severity=severity,
        )
