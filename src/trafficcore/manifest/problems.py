"""What is wrong with a manifest, or worth telling about it, each with its place.

An *error* keeps the whole set from loading. A *warning* says that something loads and is surely
wrong, or does less than it says; a *notice* that something was left out on purpose, or is worth
knowing. All are kept, each with its code; `grouped` puts those together that say one thing about
one field, for people who asked for policies.
"""

import re
from collections.abc import Iterable
from typing import Protocol

import attrs

__all__ = [
    "ERROR",
    "NOTICE",
    "WARNING",
    "Ledger",
    "Notes",
    "Problem",
    "general",
    "grouped",
    "short",
]

ERROR = "error"
WARNING = "warning"
NOTICE = "notice"

#: Nobody reads more; a file with more faults says so in its last line.
MOST_ERRORS_A_FILE = 1000
#: The same for warnings and notices: lines for people, and single ones of a run.
MOST_GROUPS = 1000
MOST_REMARKS = 50_000

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
    """One fault, warning or notice; `code` is its entry in `trafficcore.manifest.codes`.

    `path` leads to the field inside its document, `value` is what stood there. Lines and columns
    count from 1; 0 where there is none (a file that cannot be read). `count` is how many a grouped
    one stands for; the place is the first.
    """

    code: str
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


def grouped(problems: Iterable[Problem]) -> list[Problem]:
    """Put together what says one thing about one field, in the order it first came up."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        key = (problem.severity, general(problem.path), problem.message)
        group = groups.get(key)
        if group is not None:
            group.append(problem)
        elif len(groups) < MOST_GROUPS:
            groups[key] = [problem]
    return [
        group[0] if len(group) == 1 else attrs.evolve(group[0], count=len(group))
        for group in groups.values()
    ]


class Ledger:
    """All problems of one run over any number of files."""

    def __init__(self) -> None:
        self.errors: list[Problem] = []
        self._remarks: list[Problem] = []
        self._dropped = 0

    def remark(self, problem: Problem) -> None:
        """Keep a warning or notice."""
        if len(self._remarks) < MOST_REMARKS:
            self._remarks.append(problem)
        else:
            self._dropped += 1

    @property
    def remarks(self) -> list[Problem]:
        """Warnings and notices, in the order they came up; the last says if there were more."""
        if not self._dropped:
            return self._remarks
        last = self._remarks[-1]
        message = f"{self._dropped} more warnings and notices are not listed"
        more = Problem(code="TC908", file=last.file, message=message, severity=NOTICE)
        return [*self._remarks, more]


class Notes:
    """Writes the problems of one file into the ledger."""

    def __init__(self, file: str, ledger: Ledger) -> None:
        self.file = file
        self.errors = 0
        #: Above 0 inside a field that has no effect as a whole: its parts need no remark.
        self.muted = 0
        self._ledger = ledger

    def error(
        self, at: Place | None, path: str, message: str, value: str = "", *, code: str = "TC004"
    ) -> None:
        """Write down a fault; most are a value that is not what its field holds."""
        self.errors += 1
        if self.errors < MOST_ERRORS_A_FILE:
            self._ledger.errors.append(self._problem(code, at, path, message, value, ERROR))
        elif self.errors == MOST_ERRORS_A_FILE:
            message = f"has {MOST_ERRORS_A_FILE} faults or more; the rest are not listed"
            self._ledger.errors.append(self._problem("TC008", at, "", message, "", ERROR))

    def warn(self, code: str, at: Place | None, path: str, message: str, value: str = "") -> None:
        """Write down that something loads and is surely wrong, or does less than it says."""
        if not self.muted:
            self._ledger.remark(self._problem(code, at, path, message, value, WARNING))

    def notice(self, code: str, at: Place | None, path: str, message: str, value: str = "") -> None:
        """Write down that something was left out, or is worth knowing."""
        if not self.muted:
            self._ledger.remark(self._problem(code, at, path, message, value, NOTICE))

    def _problem(
        self, code: str, at: Place | None, path: str, message: str, value: str, severity: str
    ) -> Problem:
        return Problem(
            code=code,
            file=self.file,
            line=at.line if at is not None else 0,
            column=at.column if at is not None else 0,
            path=path,
            message=message,
            value=value,
            severity=severity,
        )
