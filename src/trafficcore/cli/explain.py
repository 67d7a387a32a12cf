"""`trafficcore explain`: what policies mean, what becomes of a request, what changed."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import rich_click as click

from trafficcore.cli.who import as_process, pairs, process

if TYPE_CHECKING:
    from trafficcore.engine import Facts
    from trafficcore.explain import Hosts, Row
    from trafficcore.spec import Direction, Policy

__all__ = ["explain"]


def _hosts(_context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> "Hosts":
    """Read `N` and `NAME=N`; a click callback."""
    from trafficcore.explain import Hosts

    each, by_name = None, {}
    for value in values:
        name, mark, number = value.rpartition("=")
        if not number.isdecimal() or (mark and not name):
            raise click.BadParameter(f"{value!r} must be N or NAME=N", param_hint=option.opts[0])
        if name:
            by_name[name] = int(number)
        else:
            each = int(number)
    return Hosts(each=each, by_name=by_name)


def _headers(
    _context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read `name: value` texts as the engine wants them; a click callback."""
    found: dict[str, str] = {}
    for value in values:
        name, mark, rest = value.partition(":")
        if not name.strip() or not mark:
            raise click.BadParameter(f"{value!r} must be NAME: VALUE", param_hint=option.opts[0])
        found[name.strip().lower()] = rest.strip()
    return found


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_process
@click.option(
    "--hosts",
    multiple=True,
    callback=_hosts,
    metavar="N|NAME=N",
    help="How many hosts each service has, or one of them.",
)
@click.option("--request", metavar="'METHOD URL'", help="Say what becomes of this request.")
@click.option(
    "--header", multiple=True, callback=_headers, metavar="'NAME: VALUE'", help="Its header."
)
@click.option(
    "--request-label",
    multiple=True,
    callback=pairs,
    metavar="KEY=VALUE",
    help="A label that the application gives it.",
)
@click.option("--outbound", is_flag=True, help="It goes out; otherwise it comes in.")
@click.option("--control-point", metavar="NAME", help="The application's own place it is seen at.")
@click.option("--address", default="", metavar="IP", help="Its peer's address.")
@click.option("--table", is_flag=True, help="A row a rule.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Say what changed in meaning since these.",
)
@click.option("--exit-code", is_flag=True, help="With --against: exit 1 where anything changed.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def explain(
    paths: tuple[Path, ...],
    *,
    hosts: "Hosts",
    request: str | None,
    header: dict[str, str],
    request_label: tuple[tuple[str, str], ...],
    outbound: bool,
    control_point: str | None,
    address: str,
    table: bool,
    against: Path | None,
    exit_code: bool,
    form: str,
    **who: Any,
) -> None:
    """Say in plain sentences what manifests (files or folders) mean, rule by rule.

    With `--request`, which rules act on it and in which order, and why others do not; with
    `--table`, a row a rule; with `--against`, what changed in meaning. Exits with 1 where a
    manifest has a fault.
    """
    import attrs

    from trafficcore import explain as meanings
    from trafficcore.engine import Identity
    from trafficcore.explain import data, show
    from trafficcore.spec import Direction

    if sum((request is not None, table, against is not None)) > 1:
        raise click.UsageError("--request, --table and --against exclude each other")
    policy = _read(paths)
    identity = Identity(**process(**who))
    hosts = attrs.evolve(hosts, namespace=identity.namespace, istio=identity.istio)
    if request is not None:
        if outbound and control_point:
            raise click.UsageError("--outbound and --control-point exclude each other")
        place = control_point or (Direction.OUTBOUND if outbound else Direction.INBOUND)
        facts = _facts(request, header, dict(request_label), address, place)
        found = meanings.explain_request(policy, identity, hosts, facts)
        _print(form, show.request_lines(found), data.request_data(found))
        return
    rules = meanings.explain(policy, identity, hosts)
    if table:
        lines = list(meanings.sums(rules, hosts))
        rows = list(meanings.rows(rules, hosts))
        if form == "json":
            _print(form, (), data.row_data(rows, lines))
        else:
            _table(lines, rows)
    elif against is not None:
        old = meanings.explain(_read((against,)), identity, hosts)
        changes = meanings.compare(old, rules)
        _print(form, show.change_lines(changes), data.change_data(changes))
        sys.exit(1 if changes and exit_code else 0)
    else:
        noted = [f"note: {notice}" for notice in policy.notices]
        lines = [*show.rule_lines(rules), *([""] if noted else []), *noted]
        _print(form, lines, data.rule_data(rules) | {"notices": list(policy.notices)})


def _read(paths: Iterable[Path]) -> "Policy":
    """Read manifests, or print their faults as `check` does and exit."""
    from trafficcore.judge import write_report
    from trafficcore.manifest import check

    report = check(list(paths))
    if report.policy is None:
        _print("text", write_report(report), {})
        sys.exit(1)
    return report.policy


def _facts(
    request: str,
    headers: dict[str, str],
    labels: dict[str, str],
    address: str,
    place: "Direction | str",
) -> "Facts":
    """Make a request of `METHOD URL`, or of a URL alone, which is a GET."""
    from trafficcore.engine import Facts

    words = request.split()
    method, url = words if len(words) == 2 else ("GET", request.strip())
    try:
        parts = urlsplit(url)
        host = headers.get("host", parts.netloc.rpartition("@")[2])
    except ValueError as error:
        raise click.BadParameter(f"{url!r}: {error}", param_hint="--request") from error
    if len(words) > 2 or not parts.scheme or not host:
        raise click.BadParameter(
            f"{request!r} must be a method and a URL, such as 'GET http://shop/cart'",
            param_hint="--request",
        )
    return Facts(
        place,
        host,
        unquote(parts.path) or "/",
        method.upper(),
        query=parts.query,
        scheme=parts.scheme,
        headers={"host": host, **headers},
        labels=labels or None,
        address=address,
    )


def _print(form: str, lines: Iterable[str], found: dict[str, Any]) -> None:
    if form == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    from trafficcore.manifest.check import say

    for line in lines:
        say(line, click.echo)


def _table(sums: Iterable[str], rows: "list[Row]") -> None:
    """Draw the table on a terminal; elsewhere print plain columns, always the same."""
    from trafficcore.explain.rows import COLUMNS
    from trafficcore.explain.show import plain_table

    if not sys.stdout.isatty():
        _print("text", [*sums, *plain_table(rows)], {})
        return
    _print("text", sums, {})
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(*COLUMNS)
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row.cells))
    Console().print(drawn)
