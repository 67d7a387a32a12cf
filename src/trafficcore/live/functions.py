"""Functions that people hand in, looked at when they do: not when the first request has to pay.

An `async` one is the slip that matters. Nobody would await what it answers, and a coroutine is
true, is no None, and is another one each time: the limit would be off, and say nothing.
"""

from inspect import iscoroutine, signature
from typing import Any, Final

from trafficcore.errors import ConfigError
from trafficcore.live.kinds import kind_of

__all__ = ["answer_of", "check_by", "check_function", "check_plain"]

#: Where the functions are that make keys.
_KEYS: Final = ("trafficcore.web.keys", "trafficcore.web.routed")


def check_plain(what: str, given: Any) -> None:
    """Raise `ConfigError` for what is no function, or an `async` one or a generator."""
    if not callable(given):
        raise ConfigError(f"{what} must be a function, not {given!r}")
    kind = kind_of(given)
    if kind != "plain":
        word = "generator" if kind == "generator" else "async"
        raise ConfigError(f"{what} must be a plain function, not the {word} {given!r}")


def check_function(what: str, given: Any) -> None:
    """Do so for what does not take one argument, too."""
    check_plain(what, given)
    try:
        signature(given).bind(None)
    except TypeError as error:
        raise ConfigError(f"{what} must be a function of one argument, not {given!r}") from error
    except ValueError:  # a builtin that does not say what it takes
        pass


def check_by(by: Any) -> None:
    """Raise `ConfigError` for what no limit can be kept by."""
    if hasattr(by, "asgi") and hasattr(by, "wsgi"):
        return
    if not callable(by):
        raise ConfigError(f"by must be a key such as header('x-api-key') or a function, not {by!r}")
    if getattr(by, "__module__", "") in _KEYS:
        name = getattr(by, "__name__", "")
        raise ConfigError(f"by must be a key: write {name}(…), with its parentheses")
    check_function("by", by)


def answer_of(what: str, answer: Any) -> Any:
    """Return what a function has answered; `ConfigError` where that has to be awaited after all."""
    if iscoroutine(answer):
        answer.close()
        raise ConfigError(f"{what} must be a plain function: what it answers has to be awaited")
    return answer
