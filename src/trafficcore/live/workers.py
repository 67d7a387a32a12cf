"""Whether this process is one of several workers, and the one warning that its limits are its own.

A limit in memory counts what one worker lets in. Four workers let in four times as much, and
nothing shows it in a test with one. So where a limit is made without a word about sharing, and
there are signs of other workers, the log says so, once a process. Where gunicorn loads the
application before it has workers (`--preload`), each of them looks again as it is forked.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["several_workers", "warn_of_workers"]

_told: Final[set[str]] = set()
#: What a process that may yet fork workers has made.
_early: Final[list[str]] = []


def several_workers(
    environ: Mapping[str, str] = os.environ, modules: Mapping[str, Any] = sys.modules
) -> str:
    """Return the sign of other workers that was found; "": none.

    `WEB_CONCURRENCY` above 1; a parent of `multiprocessing` (uvicorn's workers have one); siblings
    among gunicorn's workers, which all but its first can see.
    """
    asked = environ.get("WEB_CONCURRENCY", "").strip()
    if asked.isdecimal() and int(asked) > 1:
        return f"WEB_CONCURRENCY is {int(asked)}"
    process = modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return "its parent is multiprocessing's"
    arbiter = modules.get("gunicorn.arbiter")
    if arbiter is not None and arbiter.Arbiter.WORKERS:
        return "gunicorn has other workers"
    return ""


def warn_of_workers(what: str) -> None:
    """Warn, once a process, that `what` is counted by this worker alone, if there are others."""
    if _told:
        return
    sign = several_workers()
    if not sign:
        if not _early and "gunicorn.arbiter" in sys.modules:
            import logging  # first: its own hook renews the locks that ours will take

            _early.append(what)
            os.register_at_fork(after_in_child=_look_again)
        return
    _told.add(sign)
    import logging

    logging.getLogger("trafficcore").warning(
        "%s is counted in this process alone, which seems to be one of several (%s): "
        'share="host" makes it one for all of them, share="local" says that it is meant so',
        what,
        sign,
    )


def _look_again() -> None:
    for what in _early:
        warn_of_workers(what)
