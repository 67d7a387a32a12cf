"""What `trafficcore check` found, for a person, a program or GitHub.

Faults come first, one a line, as the loader tells them. Warnings and notices are put together by
code: one line each with how many there are and where the first is; `verbose` lists them all.
"""

import json
from collections.abc import Iterable, Iterator, Sized
from itertools import groupby
from typing import Any

from trafficcore.manifest import Problem, Report
from trafficcore.manifest.codes import CODES
from trafficcore.manifest.problems import ERROR, NOTICE, WARNING

__all__ = ["FORMATS", "entry", "write_report"]

FORMATS = ("text", "json", "github")


def write_report(report: Report, form: str = "text", *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines of a report in one of the `FORMATS`."""
    if form == "json":
        yield from json.dumps(_plain(report), indent=2).splitlines()
    elif form == "github":
        found = (*report.errors, *_sorted(report.warnings))
        yield from (_annotation(problem) for problem in found)
        yield _sum(report)
    else:
        yield from map(str, report.errors)
        yield from _groups(report.warnings, verbose)
        yield _sum(report)


def entry(code: str) -> Iterator[str]:
    """Yield the lines that explain one code."""
    it = CODES[code]
    yield f"{it.id} {it.name} ({it.severity}): {it.title}."
    yield it.why
    yield f"Instead: {it.instead}"
    if it.example:
        yield ""
        yield from (f"    {line}" for line in it.example.splitlines())


# -- text ----------------------------------------------------------------------------------------


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    rank = {WARNING: 0, NOTICE: 1}
    return sorted(
        problems, key=lambda it: (rank[it.severity], it.code, it.file, it.line, it.column)
    )


def _groups(problems: Iterable[Problem], verbose: bool) -> Iterator[str]:
    for (severity, code), group in groupby(_sorted(problems), lambda it: (it.severity, it.code)):
        found = list(group)
        first = found[0]
        head = f"{severity} {code} {CODES[code].name}"
        if verbose:
            yield f"{head}: {CODES[code].title}{_times(found)}"
            yield from (f"  {problem} [{code}]" for problem in found)
        elif len({problem.message for problem in found}) == 1:
            yield f"{head}: {first.message}{_times(found)} ({_place(first, found)})"
        else:
            yield f"{head}: {CODES[code].title}{_times(found)} ({_place(first, found)})"


def _times(found: list[Problem]) -> str:
    return f", {len(found):,} times" if len(found) > 1 else ""


def _place(first: Problem, found: list[Problem]) -> str:
    where = f"{first.place} {first.path}".rstrip()
    return f"first {where}" if len(found) > 1 else where


def _sum(report: Report) -> str:
    counts = _counts(report)
    words = [_count(counts[name], name) for name in ("faults", "warnings", "notices")]
    if report.policy is not None:
        words.insert(0, _count(counts["rules"], "rules"))
    if report.silenced:
        words.append(f"{counts['silenced']:,} silenced")
    return ", ".join(words)


def _count(number: int, name: str) -> str:
    return f"{number:,} {name.removesuffix('s') if number == 1 else name}"


# -- for programs --------------------------------------------------------------------------------


def _counts(report: Report) -> dict[str, int]:
    policy = report.policy
    kinds: tuple[Sized, ...] = ()
    if policy is not None:
        lists = (policy.limits, policy.breakers, policy.destinations)
        kinds = (*lists, policy.quotas, policy.ramps)
    return {
        "rules": sum(map(len, kinds)),
        "faults": len(report.errors),
        "warnings": sum(it.severity == WARNING for it in report.problems),
        "notices": sum(it.severity == NOTICE for it in report.problems),
        "silenced": len(report.silenced),
    }


def _plain(report: Report) -> dict[str, Any]:
    remarks = _sorted(report.warnings)
    return {
        "faults": [_fields(it) for it in report.errors],
        "warnings": [_fields(it) for it in remarks if it.severity == WARNING],
        "notices": [_fields(it) for it in remarks if it.severity == NOTICE],
        "silenced": [_fields(it) for it in _sorted(report.silenced)],
        "counts": _counts(report),
    }


def _fields(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "name": CODES[problem.code].name,
        "severity": problem.severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
        "value": problem.value,
    }


_COMMANDS = {ERROR: "error", WARNING: "warning", NOTICE: "notice"}


def _annotation(problem: Problem) -> str:
    place = [f"file={_property(problem.file)}"]
    if problem.line:
        place += [f"line={problem.line}", f"col={problem.column}"]
    place.append(f"title={_property(f'{problem.code} {CODES[problem.code].name}')}")
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return f"::{_COMMANDS[problem.severity]} {','.join(place)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
