"""What a budget means that is a share of what comes."""

from collections.abc import Iterator

from trafficcore.core.load.shedding import EVERY, WINDOW
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.scope import place_words
from trafficcore.explain.words import listed, number, span
from trafficcore.spec import QuotaRule, Shedding

__all__ = ["shed_meanings", "shed_words"]


def shed_words(shed: Shedding) -> str:
    """Say in short what is let by."""
    return f"all, less while latency is above {number(shed.tolerance)} of its mean"


def shed_meanings(rule: QuotaRule, shed: Shedding) -> Iterator[Meaning]:
    """Yield when load is shed, how much, and how it comes back."""
    mean = f"{number(shed.tolerance)} times its mean of {span(shed.long_window)}"
    text = (
        f"Everything passes until the mean latency of {span(WINDOW)} is above {mean};"
        f" it looks every {span(EVERY)}, and passes all where it sees nothing."
    )
    yield Meaning("overload", mean, text)
    yield Meaning("mean", f"{span(shed.long_window)} read each {span(shed.long_step)}")
    bounds = f"at least by {number(shed.min_gradient)}, at most by {number(shed.max_gradient)}"
    cut = f"(latency / allowed) ^ {number(shed.slope)}"
    text = f"Then what passes is multiplied by {cut}, {bounds}."
    yield Meaning("cut", f"{cut}, {bounds}", text)
    back = f"{number(shed.increment)} more each {span(EVERY)}"
    text = f"Later it grows again, by {back}, and at {number(shed.max_multiplier)} all pass."
    yield Meaning("back", f"{back}, all at {number(shed.max_multiplier)}", text)
    whose = sorted(place_words(one, rule.direction) for one in shed.meters)
    text = f"The latency is that of {listed(whose, 'or')}." if whose else ""
    yield Meaning("measured", "; ".join(whose) or "its own requests", text)
    if shed.cost_by_latency:
        text = "A request costs what its workload's took lately, a token a millisecond."
        yield Meaning("cost", "by latency", text)
    text = "Nobody waits while everything passes; inside a workload nobody is overtaken."
    yield Meaning("waiting", "by workload", text)
