"""What hangs on the version of Istio that a process is held to.

Law    up to 1.22 its Envoy lets the first host go whatever `maxEjectionPercent` says; later ones,
       and where no version is given, keep to the percentage.
"""

import re
from typing import Final

from trafficcore.errors import ConfigError

__all__ = ["always_first"]

_ALWAYS_FIRST: Final = (1, 22)


def always_first(istio: str | None) -> bool:
    """Whether the first host always goes, in a version such as "1.22"; None: the newest."""
    return istio is not None and _version(istio) <= _ALWAYS_FIRST


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)(?:\.|-|$)", text)
    if found is None:
        raise ConfigError(f"istio must be a version such as '1.22', not {text!r}")
    return int(found[1]), int(found[2])
