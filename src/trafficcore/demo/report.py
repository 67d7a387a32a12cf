"""What a scene shows: what was sent, what came back, and what the policy says should come back."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import attrs

__all__ = ["Report", "Row", "Scene"]


@attrs.frozen
class Row:
    """One step of a scene; it holds where `came` is what it must be, which `fine` says."""

    sent: str
    came: str
    wanted: str
    fine: bool


@attrs.define
class Scene:
    """A scene as it went: its rows, and lines worth reading under them."""

    title: str
    policy: str
    rows: list[Row] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    def saw(self, sent: str, came: object, wanted: object, *, fine: bool | None = None) -> None:
        """Add a step; without `fine`, what came must equal what was wanted."""
        holds = came == wanted if fine is None else fine
        self.rows.append(Row(sent, str(came), str(wanted), holds))

    @property
    def fine(self) -> bool:
        """Whether every step showed what it must, and there was one."""
        return bool(self.rows) and all(row.fine for row in self.rows)


_HEAD = ("sent", "came back", "the policy says", "")


class Report:
    """Prints scenes: tables and a spinner on a terminal, plain lines elsewhere."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._rich = out.isatty()

    @contextmanager
    def progress(self, title: str) -> Iterator[None]:
        """Show that a scene is running."""
        if not self._rich:
            print(f"{title} ...", file=self._out, flush=True)
            yield
            return
        from rich.console import Console

        with Console(file=self._out).status(f"[bold]{title}[/bold] is running"):
            yield

    def say(self, line: str) -> None:
        """Print one line."""
        print(line, file=self._out, flush=True)

    def show(self, scene: Scene) -> None:
        """Print one scene."""
        (self._show_rich if self._rich else self._show_plain)(scene)

    def _show_rich(self, scene: Scene) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(*_HEAD, title=scene.title, caption=scene.policy, title_justify="left")
        for row in scene.rows:
            mark = "[green]as it must[/]" if row.fine else "[bold red]NOT SO[/]"
            table.add_row(escape(row.sent), escape(row.came), escape(row.wanted), mark)
        console = Console(file=self._out)
        console.print()
        console.print(table)
        for note in scene.notes:
            console.print(f"  {note}", markup=False, highlight=False)

    def _show_plain(self, scene: Scene) -> None:
        cells = [
            _HEAD,
            *(
                (row.sent, row.came, row.wanted, "as it must" if row.fine else "NOT SO")
                for row in scene.rows
            ),
        ]
        widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
        lines = [scene.title, f"  policy: {scene.policy}"]
        lines += [f"  {_line(row, widths)}" for row in cells]
        lines += [f"  {note}" for note in scene.notes]
        print("\n".join(lines), end="\n\n", file=self._out, flush=True)

    def end(self, scenes: Sequence[Scene], wanted: int) -> None:
        """Print the verdict on all scenes."""
        good = sum(scene.fine for scene in scenes)
        verdict = "every policy did what it says" if good == wanted else "NOT every policy did"
        self.say(f"{good} of {wanted} scenes: {verdict}.")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
