"""A refusal in words, from the answer the engine itself would make."""

from trafficcore.engine import Rejection
from trafficcore.explain.words import listed

__all__ = ["answered"]


def answered(rejection: Rejection) -> tuple[str, str]:
    """Return what is answered, in short to compare and in a phrase to read."""
    headers = [f"{name}: {value}" for name, value in rejection.headers]
    body = rejection.body.strip()
    value = " ".join(part for part in (str(rejection.status), body) if part)
    if headers:
        value += f" ({', '.join(headers)})"
    text = f"{rejection.status} with {f'the body {body!r}' if body else 'no body'}"
    return value, f"{text}, and {listed(headers)}" if headers else text
