"""A lock that holds nothing, for machines that one thread alone uses."""

from contextlib import nullcontext
from typing import Any, Final

__all__ = ["NO_LOCK"]

#: Core machines create no lock; this is what they take when none is handed in.
NO_LOCK: Final[Any] = nullcontext()
