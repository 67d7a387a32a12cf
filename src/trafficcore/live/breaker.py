"""CircuitBreaker: a breaker with a clock, for functions, coroutines and blocks.

Law     That of `core.breaker.Breaker`. An exception is an error; what is no `Exception` (a
        cancelled task, a closed generator, an interrupt) gives the permit back. Nothing holds a
        lock while the guarded call, a predicate or a listener runs.
State   the machine's, and which `with` blocks are under way.
Cost    two clock readings a call; none to acquire in two steps while closed.
Source  the reference's rules R2, R4, R6, R17, R30.
"""

import logging
import random
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar

from trafficcore.core.breaker import (
    ERROR,
    Breaker,
    Change,
    Exceeded,
    HalfOpen,
    Open,
    Settings,
    State,
    Time,
)
from trafficcore.core.breaker.settings import Window
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.errors import Rejected
from trafficcore.live.breaker_calls import behind
from trafficcore.live.breaker_config import read_settings
from trafficcore.live.breaker_permit import Blocks, Permit
from trafficcore.outcome import Reason

__all__ = ["CircuitBreaker", "Permit"]

P = ParamSpec("P")
T = TypeVar("T")

#: What `ignore=` takes: classes of exceptions, or a predicate on one.
Ignored = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool] | None
