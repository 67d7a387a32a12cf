"""A refusal as HTTP: status, reason phrase, headers, body. The same for every shell."""

from collections.abc import Container
from http import HTTPStatus
from math import ceil, isfinite
from typing import Final, NamedTuple
from urllib.parse import quote

from trafficcore.engine import Rejection

__all__ = ["BODILESS", "Answer", "answer", "is_grpc", "reason_phrase", "wire"]

#: What the connection or the body decides: a manifest has no say in it.
_NOT_OURS: Final = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
#: Statuses with which HTTP forbids a body.
BODILESS: Final = frozenset((204, 304))
#: For statuses that nobody registered, such as 498.
_BY_CLASS: Final = ("", "Informational", "Success", "Redirection", "Client Error", "Server Error")
_TEXT: Final = "text/plain; charset=utf-8"
_GRPC: Final = "application/grpc"
#: The code of gRPC that says: not now, come back.
_UNAVAILABLE: Final = "14"
#: What a message of gRPC carries as it is; the rest is percent-encoded UTF-8.
_GRPC_PLAIN: Final = "".join(chr(code) for code in range(32, 127) if code != 37)
#: A line break inside a value would begin another header.
_ONE_LINE: Final = str.maketrans("\r\n\0", "   ")
#: A wait that is longer by less than this is a rounding error of the clock, not another second; the
#: same as in what headers tell is left.
_SLACK: Final = 1e-6


class Answer(NamedTuple):
    """What to send. Header names and values are text that fits latin-1, as WSGI wants it."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


def reason_phrase(status: int) -> str:
    """Return the phrase of a status; one that is not registered gets that of its class."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        group = status // 100
        return _BY_CLASS[group] if 0 < group < len(_BY_CLASS) else "Unknown"


def wire(text: str) -> str:
    """Return a header's text as one line of latin-1; what does not fit goes as UTF-8 bytes."""
    text = text.translate(_ONE_LINE).strip()
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8").decode("latin-1")
    return text


def is_grpc(content_type: str | None) -> bool:
    """Whether a request is gRPC's, by its content type: `application/grpc`, bare or with a `+`.

    gRPC-Web's is another: it looks for its status in a body.
    """
    return content_type is not None and (
        content_type == _GRPC or content_type.startswith(f"{_GRPC}+")
    )


def answer(rejection: Rejection, *, head: bool = False, grpc: bool = False) -> Answer:
    """Put a refusal into HTTP: its own headers as written, `retry-after` where the wait is known.

    `head`: the request was a HEAD, so the body is told of and not sent. `grpc`: it was gRPC's,
    which looks for its status in headers of its own: UNAVAILABLE, or what the refusal names as
    `grpc-status` (Envoy's rule), and the body as its message.
    """
    if grpc:
        return _grpc_answer(rejection)
    status = rejection.status
    body = rejection.body.encode()
    headers = [
        (name, wire(value)) for name, value in rejection.headers if name.lower() not in _NOT_OURS
    ]
    names = {name.lower() for name, _ in headers}
    headers.extend(_wait(rejection, names))
    if status in BODILESS:
        headers = [(name, value) for name, value in headers if name.lower() != "content-type"]
        return Answer(status, reason_phrase(status), headers, b"")
    if "content-type" not in names:  # PEP 3333's own validator asks for one beside no body too
        headers.append(("content-type", _TEXT))
    headers.append(("content-length", str(len(body))))
    return Answer(status, reason_phrase(status), headers, b"" if head else body)


def _wait(rejection: Rejection, names: Container[str]) -> list[tuple[str, str]]:
    """Return `retry-after` in whole seconds, rounded up, where it is known and not yet there."""
    wait = rejection.retry_after
    if wait is None or not isfinite(wait) or "retry-after" in names:
        return []
    return [("retry-after", str(max(1, ceil(wait - _SLACK))))]


def _grpc_answer(rejection: Rejection) -> Answer:
    """Answer with trailers alone, which travel as headers; the wait as everywhere."""
    headers = [
        (name, wire(value))
        for name, value in rejection.headers
        if name.lower() not in _NOT_OURS and name.lower() != "content-type"
    ]
    names = {name.lower() for name, _ in headers}
    headers.extend(_wait(rejection, names))
    if "grpc-status" not in names:
        headers.append(("grpc-status", _UNAVAILABLE))
    headers.append(("grpc-message", quote(rejection.body, safe=_GRPC_PLAIN)))
    headers.append(("content-type", _GRPC))
    headers.append(("content-length", "0"))
    return Answer(200, "OK", headers, b"")
