"""Write `reference/checks.md` from the registry of codes: `python docs/checks.py`."""

from pathlib import Path

from trafficcore.manifest.codes import SECTIONS, Code

PAGE = Path(__file__).parent / "reference" / "checks.md"
HEAD = """# Checks

What `trafficcore check` tells, by code. A **fault** keeps the set from loading. A **warning** is legal and surely
wrong, or does less than it says; a **notice** is worth knowing. Warnings and notices can be silenced where they
stand (see [how to check](../how-to/check.md)); `trafficcore check --why TC101` prints one entry. Examples leave out
`apiVersion` and `metadata`. Made by `docs/checks.py`.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for section, codes in SECTIONS.items():
        parts.append(f"\n## {section}\n")
        parts += [_entry(code) for code in codes]
    return "".join(parts)


def _entry(code: Code) -> str:
    severity = "fault" if code.severity == "error" else code.severity
    text = f"\n### {code.id} {code.name}\n\n**{code.title}** ({severity}). {code.why}\n\n"
    text += f"*Instead:* {code.instead}\n"
    return text + (f"\n```yaml\n{code.example}```\n" if code.example else "")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
