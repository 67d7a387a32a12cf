"""`trafficcore check`: one problem a line, and whether the set would load."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from trafficcore.manifest.load import check
from trafficcore.manifest.problems import ERROR, Problem

__all__ = ["main_check", "say"]


def main_check(paths: "Iterable[str | os.PathLike[str]]", write: Callable[[str], object]) -> int:
    """Write one line for each problem, without its end; return 0 if the set loads, else 1.

    `write` is `print` or `click.echo`. Warnings and notices begin with their name and change
    nothing about the answer.
    """
    report = check([Path(path) for path in paths])
    for problem in report.problems:
        say(_line(problem), write)
    return 0 if report else 1


def say(line: str, write: Callable[[str], object]) -> None:
    """Write a line, whatever a manifest put into it and wherever it goes."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    try:
        write(line)
    except UnicodeEncodeError:  # a terminal, or a pipe, that knows ASCII alone
        write(line.encode("ascii", "backslashreplace").decode("ascii"))


def _line(problem: Problem) -> str:
    return f"{problem}" if problem.severity == ERROR else f"{problem.severity}: {problem}"
