"""What a load ramp means: how its share grows, what moves it, and who is refused."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from trafficcore.core.load import Ramping, Sampler
from trafficcore.engine.ramp import RampStage
from trafficcore.engine.rule import Rule
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.refusal import answered
from trafficcore.explain.scope import place_words, process, requests
from trafficcore.explain.words import listed, number, span
from trafficcore.outcome import Reason
from trafficcore.spec import RampDriver, RampRule

__all__ = ["ramp_meanings", "steps_of"]

_MOVES: Final = {"forward": "on", "backward": "back", "reset": "back to its first step"}


def ramp_meanings(rule: RampRule) -> tuple[Meaning, ...]:
    """Return what one policy means."""
    return (
        process(rule.namespace, rule.labels, rule.gateway),
        requests(place_words(selector, rule.direction) for selector in rule.selectors),
        _steps(rule),
        *_state(rule),
        *_drivers(rule),
        _session(rule),
        _refusal(rule),
    )


def steps_of(rule: RampRule) -> str:
    """Say how the share grows, in short."""
    return ", ".join(f"{number(percent)} % over {span(time)}" for percent, time in rule.steps)


def _steps(rule: RampRule) -> Meaning:
    (first, held), *later = rule.steps
    lasts = span(max(held, 1))
    parts = [f"{number(first)} % for {lasts}"]
    parts += [f"to {number(percent)} % over {span(max(time, 1))}" for percent, time in later]
    text = f"Of the requests it lets through {', then '.join(parts)}."
    return Meaning("steps", steps_of(rule), text)


def _state(rule: RampRule) -> Iterator[Meaning]:
    if rule.reset:
        yield Meaning("start", "reset", "It is held at its first step, by hand.")
    elif not rule.started:
        yield Meaning("start", "no", "It is not started: it goes on to no further step.")
    else:
        yield Meaning("start", "yes")


def _drivers(rule: RampRule) -> Iterator[Meaning]:
    for at, driver in enumerate(rule.drivers, 1):
        yield from _driver(rule, at, driver)
    if not any(driver.forward is not None for driver in rule.drivers):
        text = "" if rule.drivers else "Nothing but time moves it."
        yield Meaning("goes on", "by itself", text)


def _driver(rule: RampRule, at: int, driver: RampDriver) -> Iterator[Meaning]:
    if not driver.selectors:
        yield Meaning("unread drivers", "hold it", "A driver is not read: it never moves it on.")
        return
    whose = sorted(place_words(selector, rule.direction) for selector in driver.selectors)
    moves = []
    for name, where in _MOVES.items():
        threshold = getattr(driver, name)
        if threshold is not None:
            than = "below" if name == "forward" else "above"
            moves.append(f"{where} while it is {than} {span(threshold)}")
    text = f"The mean latency of 30 s of {listed(whose, 'or')} moves it {listed(moves)}."
    yield Meaning(f"driver {at}", f"{'; '.join(whose)}: {', '.join(moves)}", text)


def _session(rule: RampRule) -> Meaning:
    if not rule.session:
        return Meaning("session", "none")
    text = f"A value of {rule.session} that is let through stays so while the share grows."
    return Meaning("session", rule.session, text)


def _refusal(rule: RampRule) -> Meaning:
    make = partial(RampStage, Rule(rule.source, ""), Ramping(rule.steps), Sampler())
    value, text = answered(make(rule, lambda _: None).reject(0, Reason.RAMPING))
    return Meaning("refusal", value, f"All others are answered {text}.")
