"""The command line: `check` manifests, run the `demo`."""

import sys
from pathlib import Path

import rich_click as click

from trafficcore import __version__

__all__ = ["cli"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trafficcore")
def cli() -> None:
    """Run a mesh's traffic policies inside Python: rate limits, breakers, ejection, quotas."""


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Read manifests (files or folders) and print every fault, one a line; exit 1 if any."""
    from trafficcore.manifest.check import main_check

    sys.exit(main_check(list(paths), click.echo))


@cli.command()
@click.option("--full", is_flag=True, help="Take the article's own times: about two minutes.")
def demo(*, full: bool) -> None:
    """Show the four policies over real HTTP on loopback, beside what they must show."""
    from trafficcore.demo.run import run

    sys.exit(run(full=full))
