"""From the world to an engine: manifests on disk, the environment, the standard log."""

import os
import random
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from trafficcore.errors import ConfigError
from trafficcore.live.sharing import shared_limits
from trafficcore.spec import EndpointSpec, Policy

if TYPE_CHECKING:
    from trafficcore.engine import Engine
    from trafficcore.engine.discovery import Discovery
    from trafficcore.engine.events import Listener
    from trafficcore.engine.feed import Feed

__all__ = ["first_answers", "load_engine", "mode_of_environment", "read_policy"]

#: Seconds that loading waits for endpoints that are to be found out.
_PATIENCE = 5

E = TypeVar("E", bound="Engine")

_VARIABLE = "TRAFFICCORE_MODE"


def mode_of_environment() -> str:
    """Return what `TRAFFICCORE_MODE` asks for: `enforce` (also where unset), `shadow` or `off`."""
    mode = os.environ.get(_VARIABLE, "").strip().lower() or "enforce"
    if mode not in ("enforce", "shadow", "off"):
        raise ConfigError(f"{_VARIABLE} must be enforce, shadow or off, not {mode!r}")
    return mode


def read_policy(source: Any) -> Callable[[], Policy]:
    """Return what reads `source`, again each time it is called; a `Policy` stands for itself."""
    if isinstance(source, Policy):
        return lambda: source
    from trafficcore import manifest  # PyYAML is not for those who bring no YAML

    return lambda: manifest.load(source)


def first_answers(feeds: "Iterable[Feed]", patience: float = _PATIENCE) -> None:
    """Have all new sources find out who is there, at once; wait for them, and no longer."""
    sources = list(feeds)
    for feed in sources:
        feed.prepare(0)
    until = time.monotonic() + patience
    for feed in sources:
        feed.prepare(max(0, until - time.monotonic()))


def _look_up(names: "tuple[EndpointSpec, ...]") -> "Discovery":
    """Return what looks the names of a ServiceEntry up."""
    from trafficcore.discovery.dns import Dns  # for those alone who have names to look up

    return Dns(*names)


def load_engine(
    cls: type[E],
    source: Any,
    *,
    mode: Any,
    listeners: "Iterable[Listener] | None",
    share: str | None = None,
    **settings: Any,
) -> E:
    """Make the engine that `Engine.load` describes."""
    if listeners is None:
        from trafficcore.observe.log import log_event

        listeners = (log_event,)
    from trafficcore.engine.finding import Finding

    read = read_policy(source)
    chosen = mode_of_environment() if mode is None else mode
    shared = shared_limits(share)
    engine = cls(
        read(),
        mode=chosen,
        listeners=listeners,
        shared=shared,
        draw=random.random,
        finding=Finding(ready=first_answers, discover=_look_up),
        **settings,
    )
    engine.policies.source = read
    return engine
