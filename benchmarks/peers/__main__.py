"""`python -m benchmarks.peers`: the same work by each rival; prints a table, writes `peers.json`.

Each figure is measured in a process of its own, beside the floor. A rival that is not installed
(`pip install -e '.[peers]'`), or that fails, is left out with the reason.
"""

import argparse
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from benchmarks.peers.apart import measured_apart
from benchmarks.peers.rows import ROWS, adapter
from benchmarks.peers.timing import floor_now

FILE: Final = Path(__file__).parent.parent / "peers.json"
PEERS: Final = (
    "ours", "token_bucket", "grelmicro", "nopanic", "limits", "throttled", "pyrate_limiter",
    "floodgate", "rust_py_rate_limit", "asgi_ratelimit", "slowapi", "slowapi_default",
    "fastapi_limiter", "flask_limiter", "django_ratelimit",
)  # fmt: skip


def main() -> None:
    """Measure what is asked for, by default everything; only that is written to the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    args = parser.parse_args()
    found, skipped = [], []
    for peer in args.peers:
        about, reason = _about(peer)
        if reason:
            skipped.append(reason)
            continue
        figures: dict[str, float] = {}
        for row in args.rows:
            figure = measured_apart(peer, row)
            if isinstance(figure, str):
                skipped.append(f"{peer}, {row}: {figure}")
            elif figure is not None:
                figures[row] = round(figure, 3)
        found.append({**about, "rows": figures})
        print(f"  {peer}: {figures}", flush=True)
    floor = floor_now()
    machine = f"CPython {platform.python_version()}, floor {floor * 1e9:.0f} ns"
    print("\n".join([*table(found, args.rows), machine, *(f"skipped {why}" for why in skipped)]))
    if tuple(args.peers) == PEERS and args.rows == list(ROWS):
        text = json.dumps({"machine": machine, "peers": found, "skipped": skipped}, indent=2)
        FILE.write_text(text + "\n", "utf-8")


def table(found: list[dict[str, Any]], rows: list[str]) -> list[str]:
    """Return the figures as a table of Markdown, a column a row of `ROWS`."""
    lines = [f"| {' | '.join(['', *rows])} |", f"|{' --- |' + ' --: |' * len(rows)}"]
    for peer in found:
        cells = [_cell(peer["rows"].get(row), ROWS[row][2]) for row in rows]
        lines.append(f"| {' | '.join([peer['title'], *cells])} |")
    return lines


def _cell(figure: float | None, unit: str) -> str:
    if figure is None:
        return ""
    return f"{figure:.2f}" if unit in ("floors", "times") and figure < 100 else f"{figure:.0f}"


def _about(peer: str) -> tuple[dict[str, Any], str]:
    """Return what a rival is, or why it cannot be measured."""
    try:
        module = adapter(peer)
        version = metadata.version(module.DISTRIBUTION)
    except (ImportError, metadata.PackageNotFoundError) as error:
        return {}, f"{peer}: {error}"
    title = module.DISTRIBUTION + (" (default)" if peer.endswith("_default") else "")
    return {"peer": peer, "title": title, "version": version, "law": module.LAW}, ""


if __name__ == "__main__":
    main()
