"""`trafficcore demo`: the four policies over real HTTP."""

import sys

import rich_click as click

__all__ = ["demo"]


@click.command()
@click.option("--full", is_flag=True, help="Take the article's own times: about two minutes.")
def demo(*, full: bool) -> None:
    """Show the four policies over real HTTP on loopback, beside what they must show."""
    try:
        from trafficcore.demo.run import run
    except ImportError as error:
        raise click.ClickException(
            f"the demo needs its extra: pip install 'trafficcore[demo]' ({error})"
        ) from error
    sys.exit(run(full=full))
