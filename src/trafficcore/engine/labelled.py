"""`LabelledStage`: a quota of which a request takes what its own labels say.

Law    workload by matchers; then `tokens`, `priority` and the workload's name by their labels,
       where those are there and are what they should be; then the budget of the request's own
       value of the `limit` label, and inside its workload the queue of its fairness key. A request
       without the `limit` label is not limited, and is counted.
Source Aperture's scheduler, from request to parameters; an odd label is one that is not there.
"""

from collections.abc import Callable
from hashlib import blake2b
from math import inf
from typing import Any, Final

from trafficcore.core.fair import KeyedQueues
from trafficcore.engine.claim import UNLIMITED, Claim, Flow
from trafficcore.engine.facts import Facts
from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import LabelGetter, QuotaStage, label_getter
from trafficcore.engine.shadow import ShadowQueue
from trafficcore.engine.stages import Tell
from trafficcore.spec import QuotaRule

__all__ = ["LabelledStage"]

#: A value that is longer is kept as its digest: values are the caller's, and there are many.
_LONGEST: Final = 128
#: What a label may ask for. Beyond it tags would lose a request in their rounding.
_LEAST: Final = 1e-9
_MOST: Final = 1e9


class LabelledStage(QuotaStage):
    """One quota whose requests have budgets, costs or queues by their own labels, or hold slots."""

    __slots__ = ("_by", "_tell", "odd", "unlabelled")
    plain = False

    def __init__(self, rule: Rule, queue: Any, spec: QuotaRule, tell: Tell) -> None:
        super().__init__(rule, queue, spec)
        self._tell = tell
        #: Requests without the label to limit by, and labels that were no number to go by.
        self.unlabelled = self.odd = 0
        keys = spec.keys
        self._by = {
            name: label_getter(getattr(keys, name), self.note_ambiguous)
            for name in ("limit", "priority", "tokens", "fairness", "workload")
            if getattr(keys, name)
        }

    def claim(self, facts: Facts) -> Claim:
        """Return what a request takes, by its workload and its own labels."""
        flow = self.classify(facts)
        parameters = flow.parameters
        queue = self.queue
        if isinstance(queue, KeyedQueues):
            value = self._text("limit", facts)
            if value is None:
                self.unlabelled += 1
                queue = UNLIMITED
            else:
                queue = queue.of(value)
        if self.rule.shadow:
            queue = ShadowQueue(queue, self.rule, self._tell)
        workload = self._text("workload", facts) or flow.name
        weight = self._number("priority", facts, _LEAST, parameters.priority)
        cost = self._number("tokens", facts, 0, flow.tokens)
        lane = workload if weight == parameters.priority else Flow(workload, weight)
        return Claim(flow, queue, lane, weight, cost, self._text("fairness", facts))

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return the queues and each workload as plain data."""
        found = super().snapshot(now)
        return {**found, "unlabelled": self.unlabelled, "odd_labels": self.odd}

    def _text(self, name: str, facts: Facts) -> str | None:
        get: LabelGetter | None = self._by.get(name)
        value = None if get is None else get(facts)
        if value is not None and len(value) > _LONGEST:
            value = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return value

    def _number(self, name: str, facts: Facts, least: float, otherwise: float) -> float:
        get: Callable[[Facts], str | None] | None = self._by.get(name)
        text = None if get is None else get(facts)
        if text is None:
            return otherwise
        number = _parsed(text)
        if number == 0 == least or _LEAST <= number <= _MOST:
            return number
        self.odd += 1
        return otherwise


def _parsed(text: str) -> float:
    """Read a number as a label may write it; `inf` where it is none, and so too large."""
    if "_" in text or len(text) > _LONGEST or not text.isascii():
        return inf
    try:
        return float(text)
    except ValueError:
        return inf
