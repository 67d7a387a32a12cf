"""RING 4: the command line, a file a command. Heavy imports stay inside the commands."""

import rich_click as click

from trafficcore import __version__
from trafficcore.cli.check import check
from trafficcore.cli.demo import demo
from trafficcore.cli.explain import explain
from trafficcore.cli.schema import schema
from trafficcore.cli.simulate import simulate
from trafficcore.cli.test import test

__all__ = ["cli"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trafficcore")
def cli() -> None:
    """Run a mesh's traffic policies inside Python: rate limits, breakers, ejection, quotas."""


for command in (check, demo, explain, schema, simulate, test):
    cli.add_command(command)
