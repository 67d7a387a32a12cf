"""What a call can come to that is no HTTP answer, and the status each stands for.

Source  Envoy, `Upstream::Outlier::Result`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

__all__ = ["CODES", "Result"]


class Result(Enum):
    """What was seen of a call without a status: `ext` of the service, `local` of the way there.

    A connect that is not final has a request behind it, which tells by itself how it went.
    """

    EXT_SUCCESS = "ext_success"
    EXT_FAILED = "ext_failed"
    CONNECT_SUCCESS = "local_connect_success"
    CONNECT_SUCCESS_FINAL = "local_connect_success_final"
    TIMEOUT = "local_timeout"
    CONNECT_FAILED = "local_connect_failed"


#: Where origins are not split, a result counts as this status; None says nothing at all.
CODES: Final[Mapping[Result, int | None]] = {
    Result.EXT_SUCCESS: 200,
    Result.EXT_FAILED: 500,
    Result.CONNECT_SUCCESS: None,
    Result.CONNECT_SUCCESS_FINAL: 200,
    Result.TIMEOUT: 504,
    Result.CONNECT_FAILED: 503,
}
