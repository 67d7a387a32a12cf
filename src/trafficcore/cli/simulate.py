"""`trafficcore simulate`: a scenario, or a few words about one, on virtual time."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import rich_click as click
from click.core import ParameterSource

from trafficcore.cli.who import pairs
from trafficcore.errors import ConfigError, ManifestError

if TYPE_CHECKING:
    from trafficcore.sim import Prepared, Result
    from trafficcore.sim.quick import Words

__all__ = ["progress_bar", "refuse", "simulate"]


#: The options that mean something beside a scenario file as well.
_ALWAYS: Final = ("seed", "form", "picture", "help")


def _header(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    found = []
    for value in values:
        name, mark, rest = value.partition(":")
        if not name or not mark:
            raise click.BadParameter(f"{value!r} must be 'name: value'")
        found.append((name.strip().lower(), rest.strip()))
    return tuple(found)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="", help="The service called; default: the first policy's.")
@click.option(
    "--endpoints", type=click.IntRange(1, 10_000), help="Default: those of a ServiceEntry, else 3."
)
@click.option("--zones", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option("--rate", type=click.FloatRange(0, 1e6), help="Calls a second; default: 100.")
@click.option("--clients", type=click.IntRange(1, 1_000_000), help="Instead: a closed loop.")
@click.option("--latency", default="20ms", show_default=True, help="How long an answer takes.")
@click.option("--capacity", type=click.IntRange(0), default=0, help="Calls at once; 0: any.")
@click.option(
    "--fail",
    multiple=True,
    metavar="WHO@FROM..UNTIL[=WHAT]",
    help="1@10s..60s, zone-2@10s..60s=refused, all@5s..9s=1.5s; WHAT: a status, refused, "
    "hangs, or a latency.",
)
@click.option("--duration", default="", help="Default: 60s, or 30s after the last failure.")
@click.option("--header", multiple=True, callback=_header, metavar="'NAME: VALUE'")
@click.option("--path", "request_path", default="", help="Default: one that a rule is about.")
@click.option("--inbound/--outbound", default=None, help="Default: as the policies say.")
@click.option("--label", multiple=True, callback=pairs, metavar="KEY=VALUE")
@click.option("--namespace", default="")
@click.option("--gateway", is_flag=True)
@click.option("--expect", multiple=True, metavar="SENTENCE", help="Exit 1 unless it holds.")
@click.option("--seed", type=click.IntRange(0), help="Another seed than the scenario's.")
@click.option("--format", "form", type=click.Choice(["text", "json", "fortio"]), default="text")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw it: .png, .svg or .pdf.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the scenario to a file.")
@click.pass_context
def simulate(context: click.Context, /, paths: tuple[Path, ...], **options: Any) -> None:
    """Run policies on virtual time: scenario files, or manifests and a few words.

    PATHS are scenario files (kind Scenario), or manifests; then the scenario that the options
    make is run and printed. Exit 1 where an expectation does not hold, 2 for a fault.
    """
    try:
        if options["picture"] is not None:
            from trafficcore.sim.picture import check_suffix

            check_suffix(options["picture"])
        prepared, text = _prepare(context, paths, options)
        results = [_run(one, options) for one in prepared]
        if options["picture"] is not None:
            _draw(results, options["picture"])
    except (ConfigError, OSError) as error:
        refuse(error)
    if options["form"] == "text":
        _print_text(results, text)
    else:
        _print_json(results, options["form"])
    sys.exit(0 if all(result.holds for result in results) else 1)


def refuse(error: Exception) -> NoReturn:
    """Print what is wrong, a fault a line, and exit 2."""
    from trafficcore.manifest.check import say

    faults = error.problems if isinstance(error, ManifestError) else (error,)
    for fault in faults:
        say(str(fault), partial(click.echo, err=True))
    sys.exit(2)


def _prepare(
    context: click.Context, paths: tuple[Path, ...], options: dict[str, Any]
) -> "tuple[list[Prepared], str]":
    from trafficcore.manifest import load
    from trafficcore.manifest.write import to_yaml
    from trafficcore.sim import prepare
    from trafficcore.sim.quick import scenario_of, strange

    found = prepare(list(paths))
    if found:
        _tell_unused(context, paths, found)
        return found, ""
    policy = load(list(paths))
    rules = (policy.limits, policy.breakers, policy.destinations, policy.quotas, policy.ramps)
    if not any(rules):
        raise ConfigError("no policy to simulate: `trafficcore check` says what was read")
    note = strange(options["host"], policy)
    if note:
        click.echo(note, err=True)
    scenario = scenario_of(_words(options), policy, [str(path) for path in paths])
    text = to_yaml(scenario)
    prepared = prepare(text)
    if options["save"] is not None:
        beside = options["save"].parent.resolve()
        scenario["spec"]["manifests"] = [os.path.relpath(path.resolve(), beside) for path in paths]
        options["save"].write_text(to_yaml(scenario), "utf-8")
    return prepared, text


def _tell_unused(context: click.Context, paths: tuple[Path, ...], found: "list[Prepared]") -> None:
    """Refuse what a scenario file leaves no room for, rather than to pass over it."""
    for option in context.command.params:
        name = str(option.name)
        if name in ("paths", *_ALWAYS):
            continue
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            message = f"{option.opts[0]} is for manifests: a scenario file says it all itself"
            raise ConfigError(message)
    files = {Path(one.scenario.file) for one in found}
    for path in paths:
        if path.is_file() and path not in files:
            message = f"{path} holds no scenario: name it under manifests of the one that it is for"
            raise ConfigError(message)


def _words(options: dict[str, Any]) -> "Words":
    from trafficcore.sim.quick import Words

    inbound = options["inbound"]
    return Words(
        headers=options["header"],
        labels=options["label"],
        outbound=None if inbound is None else not inbound,
        path=options["request_path"],
        seed=1 if options["seed"] is None else options["seed"],
        **{
            name: options[name]
            for name in (
                "host", "endpoints", "zones", "rate", "clients", "duration", "latency",
                "capacity", "fail", "namespace", "gateway", "expect",
            )
        },
    )  # fmt: skip


def _run(prepared: "Prepared", options: dict[str, Any]) -> "Result":
    import attrs

    from trafficcore.sim import simulate as run

    scenario = prepared.scenario
    if options["seed"] is not None:
        scenario = attrs.evolve(scenario, seed=options["seed"])
    with progress_bar(scenario.name) as progress:
        return run(scenario, prepared.policy, progress=progress)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], object]]:
    """Show on a terminal how far a run has come; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _draw(results: "list[Result]", file: Path) -> None:
    from trafficcore.sim.picture import picture

    for number, result in enumerate(results):
        name = file if not number else file.with_stem(f"{file.stem}-{number + 1}")
        try:
            picture(result, name)
        except ImportError as error:
            message = f"a picture needs its extra: pip install 'trafficcore[plot]' ({error})"
            raise ConfigError(message) from error


def _print_text(results: "list[Result]", text: str) -> None:
    from trafficcore.sim.report import report

    for number, result in enumerate(results):
        if number:
            click.echo()
        click.echo("\n".join(report(result)))
    if text:
        click.echo("\nthe scenario, as a file:\n")
        click.echo("\n".join(f"  {line}" for line in text.splitlines()))


def _print_json(results: "list[Result]", form: str) -> None:
    from trafficcore.sim.fortio import fortio

    if form == "fortio":
        data: Any = [fortio(result, name) for result in results for name in result.classes]
    else:
        data = [result.to_json() for result in results]
    click.echo(json.dumps(data[0] if len(data) == 1 else data, indent=2, allow_nan=False))
