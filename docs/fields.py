"""Write `reference/fields.md` from the loader's own tables: `python docs/fields.py`."""

from itertools import groupby
from pathlib import Path

from trafficcore.manifest.table import FieldRow, field_table

PAGE = Path(__file__).parent / "reference" / "fields.md"
HEAD = """# Manifest fields

What each field of each kind does here: **honoured**, **warned** about by name at load (with the reason), or
**refused**. An unknown field is an error that names the nearest known one. Made by `docs/fields.py` from the
tables of the loader.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for kind, rows in groupby(field_table(), key=lambda row: row.kind):
        parts.append(f"\n## {kind}\n\n| field | type | effect | |\n| --- | --- | --- | --- |\n")
        parts += [_line(row) for row in rows]
    return "".join(parts)


def _line(row: FieldRow) -> str:
    kind = row.type + (f", {row.bounds}" if row.bounds else "")
    kind += ", required" if row.required else f"; default `{row.default}`" if row.default else ""
    cells = (f"`{row.path}`", kind, row.effect, row.note)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
