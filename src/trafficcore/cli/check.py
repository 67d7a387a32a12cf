"""`trafficcore check`: faults, and what is legal and surely wrong."""

import sys
from pathlib import Path

import rich_click as click

__all__ = ["check"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Read manifests (files or folders) and print every fault, one a line; exit 1 if any."""
    from trafficcore.manifest.check import main_check

    sys.exit(main_check(list(paths), click.echo))
