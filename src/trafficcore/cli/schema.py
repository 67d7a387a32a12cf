"""`trafficcore schema`: what an editor needs to know of manifests."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from trafficcore.manifest.schema import Described

__all__ = ["schema"]


def _described() -> "dict[str, Described]":
    from trafficcore.manifest.schema import Described, kinds
    from trafficcore.sim.fields import TOP

    return kinds() | {"Scenario": Described("Scenario", "trafficcore", ("v1",), TOP)}


@click.command()
@click.argument("kind", required=False)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write files into this folder, as GROUP/KIND_VERSION.json.",
)
def schema(kind: str | None, *, output: Path | None) -> None:
    """Print the JSON Schema of a kind of manifest, for editors; without KIND, list the kinds."""
    from trafficcore.manifest.fields import nearest

    known = _described()
    if kind is not None and kind not in known:
        meant = nearest(kind, known)
        hint = f"; did you mean {meant}?" if meant else f": there are {', '.join(sorted(known))}"
        raise click.BadParameter(f"{kind!r} is not known{hint}", param_hint="KIND")
    if output is not None:
        _write(output, list(known.values()) if kind is None else [known[kind]])
    elif kind is None:
        for name, one in known.items():
            click.echo(f"{name} ({one.group}/{', '.join(one.versions)})")
    else:
        click.echo(json.dumps(known[kind].schema(), indent=2))


def _write(folder: Path, wanted: "list[Described]") -> None:
    from trafficcore.manifest.schema import file_names

    for one in wanted:
        for name, found in file_names(one):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
            click.echo(path.as_posix())
