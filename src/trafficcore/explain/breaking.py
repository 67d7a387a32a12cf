"""What a circuit breaker of the mesh means: what counts, what trips it, what happens then."""

from collections.abc import Iterator
from typing import Any

from trafficcore.core.breaker import Breaker
from trafficcore.engine.compile import breaker_settings
from trafficcore.engine.rule import Rule
from trafficcore.engine.stages import BreakStage
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.refusal import answered
from trafficcore.explain.scope import scope_meanings
from trafficcore.explain.words import count, exact, ordinal, span
from trafficcore.spec import BreakRule

__all__ = ["breaker_meanings", "trips"]


def breaker_meanings(rule: BreakRule) -> tuple[Meaning, ...]:
    """Return what one entry of `spec.configs` means."""
    return (*scope_meanings(rule.scope), *_breaker(rule))


def trips(rule: BreakRule) -> tuple[str, ...]:
    """Say in a phrase each what trips it; () where nothing can."""
    return tuple(one.value for one in _triggers(rule))


def _triggers(rule: BreakRule) -> Iterator[Meaning]:
    within = f"within {span(rule.window)}"
    if rule.slow_after is not None and rule.max_slow:
        slow = f"{span(rule.slow_after)} to begin"
        yield Meaning(
            "slow calls",
            f"{rule.max_slow} slower than {span(rule.slow_after)}",
            f"The {ordinal(rule.max_slow)} answer {within} that takes more than {slow} trips it.",
        )
    shares = (
        ("error share", rule.error_percent, "5xx"),
        ("gateway error share", rule.gateway_error_percent, "502, 503 or 504"),
    )
    floor = count(max(1, rule.min_requests), "request")
    for key, percent, what in shares:
        if percent:
            yield Meaning(
                key,
                f"{percent} % {what} of at least {floor}",
                f"{percent} % of answers {what} {within} trip it, of at least {floor}.",
            )


def _breaker(rule: BreakRule) -> Iterator[Meaning]:
    triggers = tuple(_triggers(rule))
    if not rule.can_trip:
        yield Meaning("break", "never", "Nothing can trip it: it has no whole rule above 0.")
        return
    yield from triggers
    settings = breaker_settings(rule)
    window: Any = settings.window  # of a time: a mesh has no other
    part = exact(window.size) / window.buckets
    yield Meaning(
        "window",
        f"{span(window.size)} in {window.buckets} parts",
        f"The window has {window.buckets} parts of {span(part)}: results leave it a part at a"
        f" time, so that between {span((window.buckets - 1) * part)} and {span(window.size)} are"
        " seen.",
    )
    shares = any(one.key.endswith("share") for one in triggers)
    yield _least(rule, shares=shares)
    if shares:
        yield Meaning(
            "errors",
            "5xx",
            "4xx answers and this process's own refusals are no errors; what is refused is not"
            " counted at all.",
        )
    else:
        yield Meaning("errors", "none", "Errors that come quickly count for nothing here.")
    stage = BreakStage(Rule(rule.source, ""), Breaker(settings), rule.response, lambda _: None)
    value, text = answered(stage.reject(0))
    yield Meaning("refusal", value, f"Once tripped it answers {text}; retry-after says how long.")
    rest = span(rule.open_for)
    yield Meaning(
        "break", rest, f"After {rest} all traffic returns at once: there is no half-open."
    )


def _least(rule: BreakRule, *, shares: bool) -> Meaning:
    """Say what `min_request_amount` touches: a breaker without shares does not look at it."""
    key, slow = "fewest requests", rule.max_slow and rule.slow_after is not None
    if shares:
        tail = "; the count of slow answers does not wait for them" if slow else ""
        text = f"A share counts from {count(max(1, rule.min_requests), 'request')} on{tail}."
        return Meaning(key, str(max(1, rule.min_requests)), text)
    if not rule.min_requests:
        return Meaning(key, "no matter")
    said = f"min_request_amount {rule.min_requests} touches nothing: no share is set."
    return Meaning(key, "no matter", said)
