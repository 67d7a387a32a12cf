"""A figure measured in a process of its own: nobody's threads, memory or failure is another's."""

import multiprocessing
from importlib import import_module
from typing import Any, Final

#: Seconds after which a figure is given up.
PATIENCE: Final = 100


def measured_apart(rows: str, peer: str, row: str) -> float | str | None:
    """Return the figure that `run` of the module `rows` finds, or why there is none."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_report, args=(theirs, rows, peer, row))
    process.start()
    theirs.close()
    answer: float | str | None = f"no figure within {PATIENCE} s"
    try:
        if mine.poll(PATIENCE):
            answer = mine.recv()
    except EOFError:
        answer = "the process died"
    process.kill()
    process.join()
    return answer


def _report(theirs: Any, rows: str, peer: str, row: str) -> None:
    try:
        theirs.send(import_module(rows).run(peer, row))
    except Exception as error:  # noqa: BLE001  # whatever a rival raises is a reason
        theirs.send(f"{type(error).__name__}: {error}")
