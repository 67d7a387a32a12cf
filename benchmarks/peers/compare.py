"""What every comparison with others does: measure apart, print a table, write it to a file."""

import argparse
import json
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.peers.apart import measured_apart
from benchmarks.peers.timing import floor_now

__all__ = ["compare", "table"]


def compare(rows: ModuleType, peers: tuple[str, ...], file: Path, about: str | None) -> None:
    """Measure what the command line asks for, by default everything; only that is written down.

    `rows` has `ROWS`, `adapter` and `run`; `peers` names its adapters.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers)
    parser.add_argument("--rows", nargs="*", choices=rows.ROWS, default=list(rows.ROWS))
    args = parser.parse_args()
    found, skipped = [], []
    for peer in args.peers:
        about_it, reason = _about(rows, peer)
        if reason:
            skipped.append(reason)
            continue
        figures: dict[str, float] = {}
        for row in args.rows:
            figure = measured_apart(rows.__name__, peer, row)
            if isinstance(figure, str):
                skipped.append(f"{peer}, {row}: {figure}")
            elif figure is not None:
                figures[row] = round(figure, 3)
        found.append({**about_it, "rows": figures})
        print(f"  {peer}: {figures}", flush=True)
    floor = floor_now()
    machine = f"CPython {platform.python_version()}, floor {floor * 1e9:.0f} ns"
    units = {name: row[2] for name, row in rows.ROWS.items()}
    lines = table(found, args.rows, units)
    print("\n".join([*lines, machine, *(f"skipped {why}" for why in skipped)]))
    if tuple(args.peers) == peers and args.rows == list(rows.ROWS):
        text = json.dumps({"machine": machine, "peers": found, "skipped": skipped}, indent=2)
        file.write_text(text + "\n", "utf-8")


def table(found: list[dict[str, Any]], rows: Iterable[str], units: dict[str, str]) -> list[str]:
    """Return the figures as a table of Markdown, a column a row of `ROWS`."""
    rows = list(rows)
    lines = [f"| {' | '.join(['', *rows])} |", f"|{' --- |' + ' --: |' * len(rows)}"]
    for peer in found:
        cells = [_cell(peer["rows"].get(row), units[row]) for row in rows]
        lines.append(f"| {' | '.join([peer['title'], *cells])} |")
    return lines


def _cell(figure: float | None, unit: str) -> str:
    if figure is None:
        return ""
    return f"{figure:.2f}" if unit in ("floors", "times") and figure < 100 else f"{figure:.0f}"


def _about(rows: ModuleType, peer: str) -> tuple[dict[str, Any], str]:
    """Return what a rival is, or why it cannot be measured."""
    try:
        module = rows.adapter(peer)
        version = getattr(module, "VERSION", "") or metadata.version(module.DISTRIBUTION)
    except (ImportError, metadata.PackageNotFoundError) as error:
        return {}, f"{peer}: {error}"
    _, underscore, more = peer.partition("_")
    title = module.DISTRIBUTION + (f" ({more})" if underscore and more in _FORMS else "")
    return {"peer": peer, "title": title, "version": version, "law": module.LAW}, ""


#: What tells apart two adapters of one library.
_FORMS = frozenset({"default", "consecutive"})
