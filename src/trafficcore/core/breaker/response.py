"""What a refused request is answered with.

Law     A custom response is sent as written, plus `retry-after` unless it sets one. The default
        is 503 with `retry-after` and `x-envoy-overloaded: true`.
Source  rule R27.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from trafficcore.errors import ConfigError

__all__ = ["Response", "answer"]


def _text(value: Any) -> str:
    """Write a header's value as YAML would have: a bare `true` there is the word, not Python's."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _headers(
    headers: "Mapping[str, Any] | Iterable[tuple[str, Any]]",
) -> tuple[tuple[str, str], ...]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((str(name), _text(value)) for name, value in pairs)


@attrs.frozen
class Response:
    """A custom answer."""

    status: int = 503
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_headers)
    body: str | bytes = ""

    def __attrs_post_init__(self) -> None:
        status = self.status
        if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
            raise ConfigError(f"status must be a whole number from 200 to 599, not {status!r}")
        if not isinstance(self.body, str | bytes):
            raise ConfigError(f"body must be text or bytes, not {self.body!r}")


_DEFAULT: Final = Response(503, {"x-envoy-overloaded": "true"}, "")


def answer(response: Response | None, retry_after: float | None) -> Response:
    """Return what to send: `response` (None: the default one) with its `retry-after`."""
    response = response or _DEFAULT
    if retry_after is None or math.isinf(retry_after):
        return response
    if any(name.lower() == "retry-after" for name, _ in response.headers):
        return response
    seconds = str(math.ceil(retry_after))
    return attrs.evolve(response, headers=(*response.headers, ("retry-after", seconds)))
