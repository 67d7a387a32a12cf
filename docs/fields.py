"""Write the field tables from the loader's own: `python docs/fields.py`."""

from itertools import groupby
from pathlib import Path

from trafficcore.manifest.table import FieldRow, field_table, table_of
from trafficcore.sim.fields import SCENARIO

FOLDER = Path(__file__).parent / "reference"
HEAD = """# Manifest fields

What each field of each kind does here: **honoured**, **warned** about by name at load (with the reason), or
**refused**. An unknown field is an error that names the nearest known one. Made by `docs/fields.py` from the
tables of the loader.
"""
SCENARIO_HEAD = """# Scenario files

A document with `kind: Scenario` (and `apiVersion: trafficcore/v1`) says what `trafficcore simulate` and
`trafficcore test` run: who the process is, who calls it, what stands behind it, and what to expect. Its faults are
told like those of manifests. Times are durations (`300ms`, `12s`, `1m30s`). Made by `docs/fields.py`.

- **The policies** are the files that `manifests` names, beside the scenario, and the other documents of its own file.
- **The process** is the one `Engine.load` is told about: labels, namespace, gateway, locality, and the `hosts` it
  stands for.
- **Services** answer for a host. `latency` is a duration or a distribution: `{exponential: 20ms}`,
  `{uniform: [10ms, 30ms]}`, `{lognormal: {p50: 20ms, p99: 300ms}}`. `capacity` is calls at once for each endpoint (0:
  any number), `queue` how many more wait there. Where no service is written, each host has one endpoint that answers
  after a millisecond.
- **Failures** are of all endpoints of a service, or those with these numbers (from 1) or addresses, or in a zone, for
  a time. One answers `status` (503), or is `refused`, or `hangs` until it is over; with a `latency` and no `status` it
  is slow and nothing else. Of several at once the first stands.
- **Loads** are classes of clients. Open ones send come what may: `rate`, `ramp` (its last rate stays), `steps` (end
  with the last), `bursts`; evenly or as a Poisson process. Closed ones are `clients` that wait for their answers:
  each makes `warmup_calls` that are not counted, and the timed part, `duration`, begins for all when the last is
  through. No call begins after the scenario's `duration`; calls in flight then have `drain` to be answered.
- **Retries** are the client transports' own, and no load makes any: what a VirtualService or a DestinationRule says
  of them is not simulated.
- **A client's patience** is `timeout`. Outbound it counts as a failure of the server (504); inbound the client has
  gone, which is no verdict.
- **Expectations** are sentences; see [](../how-to/test.md).

| field | |
| --- | --- |
"""


def page() -> str:
    """Return the page of the manifests."""
    parts = [HEAD]
    for kind, rows in groupby(field_table(), key=lambda row: row.kind):
        parts.append(f"\n## {kind}\n\n| field | type | effect | |\n| --- | --- | --- | --- |\n")
        parts += [_line(f"`{row.path}`", _type(row), row.effect, row.note) for row in rows]
    return "".join(parts)


def scenario_page() -> str:
    """Return the page of the scenario files."""
    rows = table_of("Scenario", SCENARIO)
    return SCENARIO_HEAD + "".join(_line(f"`{row.path}`", _type(row)) for row in rows)


PAGES = {"fields.md": page, "scenario.md": scenario_page}


def _type(row: FieldRow) -> str:
    kind = row.type + (f", {row.bounds}" if row.bounds else "")
    return kind + (
        ", required" if row.required else f"; default `{row.default}`" if row.default else ""
    )


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), "utf-8")
