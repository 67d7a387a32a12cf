"""The options that say which process a command speaks of, shared by the commands that need it."""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

__all__ = ["as_process", "pairs", "process"]

F = TypeVar("F", bound=Callable[..., Any])


def pairs(
    _context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Split `KEY=VALUE` texts; a click callback."""
    found = []
    for value in values:
        key, mark, rest = value.partition("=")
        if not key or not mark:
            name = option.opts[0]
            raise click.BadParameter(f"{value!r} must be KEY=VALUE", param_hint=name)
        found.append((key, rest))
    return tuple(found)


def _version(_context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Check a version; a click callback."""
    from trafficcore.engine.istio_version import always_first
    from trafficcore.errors import ConfigError

    try:
        always_first(value)
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint=option.opts[0]) from error
    return value


def as_process(command: F) -> F:
    """Give a command the options that say who the process is."""
    options = (
        click.option(
            "--label",
            multiple=True,
            callback=pairs,
            metavar="KEY=VALUE",
            help="A label of this process, as its selector sees it.",
        ),
        click.option(
            "--namespace", default="default", show_default=True, help="The process's namespace."
        ),
        click.option("--gateway", is_flag=True, help="The process is a gateway."),
        click.option("--locality", default="", help="Where it runs, as region/zone/sub-zone."),
        click.option(
            "--istio",
            callback=_version,
            metavar="VERSION",
            help="The Istio it is held to: up to 1.22 the first host is always ejected.",
        ),
        click.option(
            "--stands-for",
            multiple=True,
            callback=pairs,
            metavar="VHOST[:PORT]=HOST[,HOST]",
            help="A virtual host it answers for, and the Hosts that mean it.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def process(
    *,
    label: tuple[tuple[str, str], ...],
    namespace: str,
    gateway: bool,
    locality: str,
    istio: str | None,
    stands_for: tuple[tuple[str, str], ...],
) -> dict[str, Any]:
    """Return what the options say, as the arguments of `Engine.load` and of `Identity`."""
    return {
        "labels": dict(label),
        "namespace": namespace,
        "gateway": gateway,
        "locality": locality,
        "istio": istio,
        "hosts": {name: hosts.split(",") for name, hosts in stands_for},
    }
