"""Pools of connections that wait for a free one no longer than for a new one.

Of an adapter with `pool_block` a call waits for a connection that others hold. requests gives that
wait no end of its own; here it is the timeout of a connection.
"""

from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Timeout

__all__ = ["POOLS"]


def _patient(how: dict[str, Any]) -> dict[str, Any]:
    timeout = how.get("timeout")
    if how.get("pool_timeout") is None and isinstance(timeout, Timeout):
        return {**how, "pool_timeout": timeout.connect_timeout}
    return how


class _Plain(HTTPConnectionPool):
    def urlopen(self, *args: Any, **how: Any) -> Any:
        return super().urlopen(*args, **_patient(how))


class _Secure(HTTPSConnectionPool):
    def urlopen(self, *args: Any, **how: Any) -> Any:
        return super().urlopen(*args, **_patient(how))


#: For a manager's `pool_classes_by_scheme`.
POOLS: Final = {"http": _Plain, "https": _Secure}
