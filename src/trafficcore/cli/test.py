"""`trafficcore test`: every scenario of a folder, held to what it expects."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from trafficcore.cli.simulate import progress_bar, refuse
from trafficcore.errors import ConfigError

if TYPE_CHECKING:
    from trafficcore.sim import Prepared

__all__ = ["test"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Show the whole report of each scenario.")
def test(paths: tuple[Path, ...], *, verbose: bool) -> None:
    """Run every scenario of files and folders, and hold it to what it expects.

    Exit 0 where everything holds, 1 where anything fails, 2 for a fault in a file. A scenario
    that expects nothing fails: it would never notice anything.
    """
    from trafficcore.sim import prepare

    try:
        prepared = prepare(list(paths))
        passed = sum(_test(one, verbose=verbose) for one in prepared)
    except (ConfigError, OSError) as error:
        refuse(error)
    if not prepared:
        refuse(ConfigError("no scenario found: a scenario is a document of kind Scenario"))
    click.echo(f"{passed} passed, {len(prepared) - passed} failed")
    sys.exit(0 if passed == len(prepared) else 1)


def _test(prepared: "Prepared", *, verbose: bool) -> bool:
    from trafficcore.sim import simulate
    from trafficcore.sim.report import report
    from trafficcore.sim.timeline import timeline

    scenario = prepared.scenario
    with progress_bar(scenario.name) as progress:
        result = simulate(scenario, prepared.policy, progress=progress)
    good = result.holds and bool(result.verdicts)
    click.echo(f"{'PASS' if good else 'FAIL'}  {scenario.name} ({scenario.file})")
    for verdict in result.verdicts:
        click.echo(f"      {verdict}")
    if not result.verdicts:
        click.echo("      expects nothing")
    if verbose:
        click.echo("\n".join(f"      {line}" for line in report(result)))
    elif not good:
        for line in timeline(result.events, result.more_events):
            click.echo(f"      {line}")
    return good
