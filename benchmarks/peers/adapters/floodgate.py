"""floodgate-rs, in Rust: a window that starts with its first call."""

from collections.abc import Callable
from datetime import timedelta

from floodgate import FixedMapping, JumpingWindow

DISTRIBUTION = "floodgate-rs"
LAW = "fixed window"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    trigger = JumpingWindow(limit, timedelta(seconds=seconds)).trigger
    return lambda: trigger() is None


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    trigger = FixedMapping(limit, timedelta(seconds=seconds)).trigger
    return lambda key: trigger(key) is None
