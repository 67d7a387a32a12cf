"""`trafficcore check`: one problem a line, and whether the set would load."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from trafficcore.manifest.load import check
from trafficcore.manifest.problems import ERROR, Problem

__all__ = ["main_check"]


def main_check(paths: "Iterable[str | os.PathLike[str]]", write: Callable[[str], object]) -> int:
    """Write one line for each problem, without its end; return 0 if the set loads, else 1.

    `write` is `print` or `click.echo`. Warnings and notices begin with their name and change
    nothing about the answer.
    """
    report = check([Path(path) for path in paths])
    for problem in report.problems:
        line = _line(problem)
        try:
            write(line)
        except UnicodeEncodeError:  # a terminal, or a pipe, that knows ASCII alone
            write(line.encode("ascii", "backslashreplace").decode("ascii"))
    return 0 if report else 1


def _line(problem: Problem) -> str:
    mark = "" if problem.severity == ERROR else f"{problem.severity}: "
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"{mark}{problem}")
