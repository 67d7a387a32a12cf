"""A quota at work on one rule: which workload a request is of, and its place in the queue."""

from collections.abc import Callable
from typing import Any, Final

from trafficcore.engine.claim import Claim, Class
from trafficcore.engine.facts import BOTH, Facts
from trafficcore.engine.labels import compile_matcher, required_labels
from trafficcore.engine.rule import Rule
from trafficcore.engine.turns import turns
from trafficcore.engine.verdict import Rejection
from trafficcore.outcome import Reason
from trafficcore.spec import LabelMatcher, QuotaRule

__all__ = ["QuotaStage", "label_getter", "label_test"]

_HEADER: Final = "http.request.header."
#: Label values are the caller's to choose: remember the class of so many of them and no more.
_MEMO: Final = 1024
_OVERLOADED: Final = (("x-envoy-overloaded", "true"),)
_LIMITED: Final = (("x-envoy-ratelimited", "true"),)

LabelGetter = Callable[[Facts], str | None]


def _header_label(name: str, ambiguous: Callable[[], None]) -> LabelGetter:
    """Read a header whose `_` may have become `-` on its way: some servers drop the first kind.

    Where both arrive, one of them may be forged past a proxy: then the label is missing.
    """
    spellings = _spellings(name)
    if len(spellings) == 1:
        return lambda facts: facts.headers.get(name)

    def get(facts: Facts) -> str | None:
        headers = facts.headers
        found = None
        for spelling in spellings:
            value = headers.get(spelling)
            if value is not None:
                if found is not None:
                    ambiguous()
                    return None
                found = value
        return found

    return get


def _spellings(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((name, name.replace("_", "-"), name.replace("-", "_"))))


def _two_spellings(keys: list[str]) -> tuple[str, str]:
    if len(keys) != 1 or not keys[0].startswith(_HEADER):
        return "", ""
    found = _spellings(keys[0][len(_HEADER) :].lower())
    return (found[0], found[1]) if len(found) == 2 else ("", "")


def label_getter(key: str, ambiguous: Callable[[], None]) -> LabelGetter:
    """Compile the look-up of one label; what the application set goes before what a caller sent."""
    if key.startswith(_HEADER):
        get = _header_label(key[len(_HEADER) :].lower(), ambiguous)
    else:
        get = {
            "http.method": lambda facts: facts.method,
            "http.target": lambda facts: facts.target,
            "http.host": lambda facts: facts.host,
            "http.scheme": lambda facts: facts.scheme,
            "http.request_content_length": lambda facts: facts.header("content-length"),
        }.get(key, lambda _: None)

    def label(facts: Facts) -> str | None:
        own = facts.labels
        if own is not None and key in own:
            return own[key]
        return get(facts)

    return label


def label_test(matcher: LabelMatcher, ambiguous: Callable[[], None]) -> Callable[[Facts], bool]:
    """Compile a label matcher to a predicate over facts."""
    keys = sorted(required_labels(matcher))
    getters = [(key, label_getter(key, ambiguous)) for key in keys]
    test = compile_matcher(matcher)
    return lambda facts: test(
        {key: value for key, get in getters if (value := get(facts)) is not None}
    )


class QuotaStage:
    """One quota with its queue and its workloads.

    `plain`: all that a request takes is said by its workload, and is spent when it is admitted.
    `holds`: what it takes comes back at its end.
    """

    __slots__ = (
        "_classes",
        "_getters",
        "_headers",
        "_memo",
        "_name",
        "_other",
        "_tests",
        "ambiguous",
        "default",
        "denied",
        "holds",
        "margin",
        "queue",
        "rule",
        "spec",
    )
    plain = True

    def __init__(self, rule: Rule, queue: Any, spec: QuotaRule) -> None:
        self.rule = rule
        self.queue = queue
        self.spec = spec
        self.denied = spec.denied_status
        self.holds = spec.in_flight
        #: How long before its caller gives up somebody leaves the queue at the latest.
        self.margin = spec.deadline_margin
        self._headers = _OVERLOADED if spec.queue or spec.in_flight else _LIMITED
        self.ambiguous = 0
        self.default = Class("default", spec.default, queue, rule)
        workloads = spec.workloads
        self._classes = [
            Class(workload.name, workload.parameters, queue, rule) for workload in workloads
        ]
        self._tests = [compile_matcher(workload.matcher) for workload in workloads]
        keys = sorted({key for workload in workloads for key in required_labels(workload.matcher)})
        self._getters = [(key, label_getter(key, self.note_ambiguous)) for key in keys]
        self._memo: dict[Any, Class] = {}
        #: Where one header with two spellings decides, these; else "".
        self._name, self._other = _two_spellings(keys)

    @property
    def reason(self) -> Reason:
        """Why it refuses, where nobody waits."""
        limits = not self.spec.queue and not self.holds
        return Reason.RATE_LIMITED if limits else Reason.OVERLOADED

    def claim(self, facts: Facts) -> Claim:
        """Return what a request takes."""
        return self.classify(facts).claim(self.queue)

    def note_ambiguous(self) -> None:
        """Count a request whose header came in two spellings."""
        self.ambiguous += 1

    def classify(self, facts: Facts) -> Class:
        """Return the first workload that matches, else the default one."""
        name = self._name
        if name and facts.labels is None:  # the usual case, flat
            values: Any = facts.either(name, self._other)
            if values is BOTH:
                self.note_ambiguous()
                values = None
        elif len(self._getters) == 1:
            values = self._getters[0][1](facts)
        else:
            values = tuple([get(facts) for _, get in self._getters])
        try:
            return self._memo[values]
        except KeyError:
            return self._classify(values)

    def _classify(self, values: Any) -> Class:
        each = (values,) if len(self._getters) == 1 else values
        labels = {
            key: value
            for (key, _), value in zip(self._getters, each, strict=True)
            if value is not None
        }
        found = self.default
        for test, candidate in zip(self._tests, self._classes, strict=True):
            if test(labels):
                found = candidate
                break
        if len(self._memo) < _MEMO:
            self._memo[values] = found
        return found

    def clear(self) -> None:
        """Forget who waits."""
        self.queue.clear()
        for flow in (*self._classes, self.default):
            flow.waiting = 0

    def reject(self, now: float, reason: Reason, retry_at: float | None = None) -> Rejection:
        """Return the refusal with the status the policy asks for."""
        if self.holds and reason is Reason.RATE_LIMITED:  # nobody waits here, and no rate is passed
            reason = Reason.OVERLOADED
        if retry_at == float("inf"):
            retry_at = None
        return Rejection(
            reason, self.denied, self._headers, reason.value, self.rule.source, now, retry_at
        )

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return the queue and each workload as plain data."""
        flows = (*self._classes, self.default)
        workloads = [
            {**flow.snapshot(), "turn_within": within}
            for flow, within in zip(flows, turns(self.spec), strict=True)
        ]
        return {
            "queue": self.queue.snapshot(now),
            "workloads": workloads,
            "ambiguous_labels": self.ambiguous,
        }
