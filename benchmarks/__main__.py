"""`python -m benchmarks`: run every row, print it beside its goal, write `results.json`."""

import argparse
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def main() -> int:
    """Return 0 if every row ran and none is over its ceiling (`--smoke`: if every row ran)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few rounds, no judgement")
    parser.add_argument("-k", default="", help="only rows whose test matches")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.json"
        options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="]
        options += [f"--benchmark-json={raw}", "--benchmark-quiet", str(HERE)]
        options.append("--benchmark-timer=time.process_time")  # as `measure.py` times the floor
        options += ["--smoke"] * args.smoke + ["-k", args.k] * bool(args.k)
        code = pytest.main(options)
        if code:
            return int(code)
        measured = json.loads(raw.read_text("utf-8"))["benchmarks"]
    budget = tomllib.loads((HERE / "budget.toml").read_text("utf-8"))
    rows = [_row(entry["extra_info"], budget) for entry in measured]
    print("\n".join(_table(rows)))
    if not args.smoke and not args.k:
        (HERE / "results.json").write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
        missing = budget.keys() - {row["name"] for row in rows}
        if missing:
            sys.exit(f"no row for {', '.join(sorted(missing))}")
    over = [row["name"] for row in rows if _over(row)]
    if over and not args.smoke:
        print(f"over the ceiling: {', '.join(over)}")
        return 1
    return 0


def _row(info: dict[str, Any], budget: dict[str, dict[str, Any]]) -> dict[str, Any]:
    own = budget[info["name"]]
    row = {"name": info["name"], "floors": round(info["floors"], 3)}
    row |= {"goal": own["goal"], "ceiling": own["ceiling"], "unit": own.get("unit", "floors")}
    return row


def _over(row: dict[str, Any]) -> bool:
    """A ceiling below its goal is a floor to stand on: more is better there."""
    if row["ceiling"] < row["goal"]:
        return bool(row["floors"] < row["ceiling"])
    return bool(row["floors"] > row["ceiling"])


def _met(row: dict[str, Any]) -> bool:
    more = row["ceiling"] < row["goal"]
    return bool(row["floors"] >= row["goal"] if more else row["floors"] <= row["goal"])


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"{'row':26} {'measured':>9} {'goal':>7} {'ceiling':>8}  unit"]
    for row in rows:
        mark = "" if _met(row) else "  over its CEILING" if _over(row) else "  misses its goal"
        lines.append(
            f"{row['name']:26} {row['floors']:9.2f} {row['goal']:7.2f} {row['ceiling']:8.2f}"
            f"  {row['unit']}{mark}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
