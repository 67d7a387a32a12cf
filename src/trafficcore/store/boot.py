"""Which boot this is: monotonic clocks of one boot agree in every process, those of two do not.

Linux says it in a file. macOS says it by `sysctl kern.bootsessionuuid`. Nothing else is known to
say it in a form that a step of the wall clock leaves as it is.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import UUID

from trafficcore.errors import StoreError

__all__ = ["boot_identity"]

_LINUX: Final = Path("/proc/sys/kernel/random/boot_id")
_MACOS: Final = ("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")


def _ask_sysctl() -> str:
    return subprocess.run(_MACOS, capture_output=True, check=True, text=True).stdout  # noqa: S603  # a constant


def boot_identity(file: Path = _LINUX, ask: Callable[[], str] = _ask_sysctl) -> bytes:
    """Return 16 bytes that are the same for all processes until the machine starts again."""
    try:
        text = file.read_text("ascii") if file.exists() else ask()
        return UUID(text.strip()).bytes
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise StoreError(
            f"limits cannot be shared: which boot this is cannot be told: {error}"
        ) from error
