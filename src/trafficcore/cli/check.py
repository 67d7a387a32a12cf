"""`trafficcore check`: faults, and what is legal and surely wrong."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.core import ParameterSource

from trafficcore.cli.who import as_process, process

if TYPE_CHECKING:
    from trafficcore.judge import HostCounts
    from trafficcore.manifest import Problem

__all__ = ["check"]


def _hosts(
    _context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> "HostCounts":
    """Read `N` and `NAME=N`; a click callback."""
    from trafficcore.judge import HostCounts

    others, named = None, {}
    for value in values:
        name, mark, number = value.rpartition("=")
        if not number.isdecimal() or not int(number) or (mark and not name):
            raise click.BadParameter(f"{value!r} must be N or NAME=N", param_hint=option.opts[0])
        if name:
            named[name] = int(number)
        else:
            others = int(number)
    return HostCounts(others=others, named=named)


def _why(context: click.Context, option: click.Parameter, code: str | None) -> None:
    """Print one entry and leave; an eager click callback."""
    from trafficcore.judge import entry
    from trafficcore.manifest.codes import CODES

    if code is None:
        return
    if code.upper() not in CODES:
        raise click.BadParameter(f"there is no code {code!r}", param_hint=option.opts[0])
    for line in entry(code.upper()):
        click.echo(line)
    context.exit()


def _scenario_faults(paths: tuple[Path, ...]) -> "tuple[Problem, ...]":
    """Return what is wrong with the scenarios among the files: they are no manifests."""
    from trafficcore.errors import ManifestError
    from trafficcore.sim import prepare

    try:
        prepare(list(paths))
    except ManifestError as error:
        return error.problems
    return ()


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="List every warning and notice.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For a person, a program, or annotations of a pull request.",
)
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@click.option(
    "--hosts",
    multiple=True,
    callback=_hosts,
    metavar="N|NAME=N",
    help="How many hosts every service has, or one of them.",
)
@click.option(
    "--why",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_why,
    help="Explain one code, such as TC101, and exit.",
)
@as_process
@click.pass_context
def check(
    context: click.Context,
    /,
    paths: tuple[Path, ...],
    *,
    verbose: bool,
    form: str,
    strict: bool,
    hosts: "HostCounts",
    **who: Any,
) -> None:
    """Read manifests (files or folders); print faults, and what is legal and surely wrong.

    Exits 1 if there is a fault. Every warning and notice has a code; `--why` explains it, and the
    comment `# trafficcore: ignore TC101` in a manifest silences it. A label, a namespace or
    `--gateway` leaves out rules that another process applies.
    """
    import attrs

    from trafficcore.engine.identity import Identity
    from trafficcore.judge import judge, write_report
    from trafficcore.manifest import check as read
    from trafficcore.manifest.check import say

    given = (context.get_parameter_source(name) for name in ("label", "namespace", "gateway"))
    found = read(list(paths))
    faults = [fault for fault in _scenario_faults(paths) if fault not in found.problems]
    report = judge(
        attrs.evolve(found, problems=(*faults, *found.problems)),
        identity=Identity(**process(**who)),
        only_its=ParameterSource.COMMANDLINE in given,
        hosts=hosts,
    )
    for line in write_report(report, form, verbose=verbose):
        say(line, click.echo)
    wrong = {"error", "warning"} if strict else {"error"}
    sys.exit(1 if wrong & {problem.severity for problem in report.problems} else 0)
