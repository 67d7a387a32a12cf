"""gRPC's statuses as HTTP's, for breakers and ejection, which count by the latter.

Law     A response of trailers alone carries `grpc-status` as a header under a 200; it counts as
        the status of HTTP that Envoy takes for it. A code that nobody registered is an error of
        the server's. In front of an ASGI application trailers after a body are seen as well; WSGI
        has none, and the libraries of clients do not show theirs.
"""

from typing import Final

__all__ = ["status_of"]

_OK: Final = 200
_STATUSES: Final = {
    "0": 200,  # OK
    "1": 499,  # CANCELLED
    "2": 500,  # UNKNOWN
    "3": 400,  # INVALID_ARGUMENT
    "4": 504,  # DEADLINE_EXCEEDED
    "5": 404,  # NOT_FOUND
    "6": 409,  # ALREADY_EXISTS
    "7": 403,  # PERMISSION_DENIED
    "8": 429,  # RESOURCE_EXHAUSTED
    "9": 400,  # FAILED_PRECONDITION
    "10": 409,  # ABORTED
    "11": 400,  # OUT_OF_RANGE
    "12": 501,  # UNIMPLEMENTED
    "13": 500,  # INTERNAL
    "14": 503,  # UNAVAILABLE
    "15": 500,  # DATA_LOSS
    "16": 401,  # UNAUTHENTICATED
}


def status_of(status: int, grpc_status: str | None) -> int:
    """Return the status that a response counts as; `grpc_status`: its header of that name."""
    if grpc_status is None or status != _OK:
        return status
    return _STATUSES.get(grpc_status.strip(), 500)
