"""What `expected.properties` may ask of a run: fairness, order, work conservation, shares."""

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import combinations
from math import inf
from typing import Any

from conformance.scheduling_checks import TINY, check_counts, within
from conformance.scheduling_kernel import Call, Kernel, known
from model.fair import ModelBucket


def limit_keys(kernel: Kernel) -> Iterable[Any]:
    return list(kernel.quotas)


def name_of(call: Call, by: str) -> str:
    if by == "workload":
        return call.workload
    assert by == "workload/fairness_key", by
    return f"{call.workload}/{call.fairness_key}"


def chosen(calls: Iterable[Call], workload: str | None) -> list[Call]:
    return [call for call in calls if workload in (None, "*", call.workload)]


def sfq_bound(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "workloads", "max_tokens")
    for key in limit_keys(kernel):
        for pair in combinations(prop["workloads"], 2):
            _bound_of_pair(kernel, key, pair, prop["max_tokens"])


def _bound_of_pair(kernel: Kernel, key: Any, pair: tuple, largest: dict) -> None:
    weight = {name: kernel.priorities.get(name, kernel.priorities[kernel.default]) for name in pair}
    bound = sum(Fraction(largest[name]) / weight[name] for name in pair)
    waiting = dict.fromkeys(pair, 0)
    drift = low = high = Fraction(0)
    for when, what, call in kernel.log:
        name = call.workload
        if call.limit_key != key or name not in waiting or not call.queued:
            continue
        if what == "queue":
            waiting[name] += 1
        elif what in ("admit", "leave"):
            if what == "admit" and all(waiting.values()):
                drift += call.tokens / weight[name] * (1 if name == pair[0] else -1)
                low, high = min(low, drift), max(high, drift)
                assert high - low <= bound, f"{pair} apart by {float(high - low)} at {float(when)}"
            waiting[name] -= 1
            if not all(waiting.values()):
                drift = low = high = Fraction(0)


def fifo_within_workload(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "workload")
    last: dict[Any, Call] = {}
    for call in chosen(kernel.admitted, prop.get("workload")):
        lane = (call.workload, call.fairness_key, call.limit_key)
        if call.tokens > 0:
            before = last.get(lane)
            assert before is None or before.place < call.place, f"{call.id} after {before.id}"
            last[lane] = call


def work_conserving(kernel: Kernel, prop: dict) -> None:
    known(prop, "type")
    for key in limit_keys(kernel):
        log = [entry for entry in kernel.log if entry[2].limit_key == key]
        budget = _SlotsReplay(kernel) if kernel.concurrency else _BucketReplay(kernel)
        waiting: list[Call] = []
        since: Any = Fraction(0)
        end = kernel.horizon if kernel.horizon < inf else kernel.now
        for when, what, call in [*log, (end, "end", None)]:
            if waiting and when > since:
                largest = max(other.tokens for other in waiting)
                idle = when - max(since, budget.when(since, largest))
                assert idle <= TINY, f"idle for {float(idle)} s before {float(when)}"
            since = when
            if what == "queue":
                waiting.append(call)
            elif what in ("admit", "leave") and call.queued:
                waiting.remove(call)
            if call is not None:
                budget.note(when, what, call)


class _BucketReplay:
    """The bucket as an observer sees it: what was admitted left it, nothing else did."""

    def __init__(self, kernel: Kernel) -> None:
        limiter = kernel.limiter
        initial = limiter.get("initial_tokens")
        self.bucket = ModelBucket(
            Fraction(limiter["bucket_capacity"]),
            Fraction(limiter["fill_amount"]),
            Fraction(limiter["interval"]),
            even=limiter.get("continuous_fill", True),
            delay=limiter.get("delay_initial_fill", False),
            initial=None if initial is None else Fraction(initial),
        )

    def when(self, now: Any, amount: Any) -> Any:
        self.bucket.advance(now)
        return self.bucket.when(amount)

    def note(self, now: Any, what: str, call: Call) -> None:
        if what == "admit" and call.tokens > 0:
            self.bucket.take(now, call.tokens)
            if call.tokens > self.bucket.capacity:  # it was paid on credit, and the debt is paid
                self.bucket.tokens = Fraction(0)
        elif what == "correct":
            self.bucket.give(now, call.tokens - call.actual)


class _SlotsReplay:
    def __init__(self, kernel: Kernel) -> None:
        self.limit = Fraction(kernel.limiter["max_concurrency"])
        self.out = Fraction(0)

    def when(self, now: Any, amount: Any) -> Any:
        return now if self.out + amount <= self.limit or not self.out else inf

    def note(self, _now: Any, what: str, call: Call) -> None:
        if call.tokens > 0:
            self.out += {"admit": call.tokens, "return": -call.tokens}.get(what, 0)


def rate_cap(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "burst", "rate")
    burst, rate = Fraction(prop["burst"]), Fraction(prop["rate"])
    for key in limit_keys(kernel):
        total, least = Fraction(0), inf
        for call in kernel.admitted:
            if call.limit_key == key and call.tokens > 0:
                least = min(least, total - rate * call.admitted)
                total += call.tokens
                over = total - rate * call.admitted - least - burst
                assert over <= TINY, f"{float(over)} above the cap at {float(call.admitted)}"


def admitted_count(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "window", "counts")
    check_counts(within(kernel.admitted, prop.get("window")), prop["counts"])


def max_wait(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "workload", "seconds")
    for call in chosen(kernel.admitted, prop.get("workload")):
        wait = call.admitted - call.arrived
        assert wait <= prop["seconds"] + TINY, f"{call.id} waited {float(wait)}"


def max_wait_for_answer(kernel: Kernel, prop: dict) -> None:
    """In closed loops a wait is from the call to its answer."""
    known(prop, "type", "workload", "seconds")
    for call in chosen(kernel.admitted, prop.get("workload")):
        wait = call.admitted + call.answer_after - call.arrived
        assert wait <= prop["seconds"] + TINY, f"{call.id} waited {float(wait)}"


def none_rejected(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "workload")
    lost = [c.id for c in chosen(kernel.calls, prop.get("workload")) if c.rejected is not None]
    assert not lost, f"rejected: {lost}"


def all_rejected(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "workload")
    kept = [c.id for c in chosen(kernel.calls, prop.get("workload")) if c.rejected is None]
    assert not kept, f"not rejected: {kept}"


def drained(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "workload")
    calls = chosen(kernel.calls, prop.get("workload"))
    left = [c.id for c in calls if c.admitted is None and c.rejected is None]
    assert not left, f"still waiting: {left}"


def _tokens(calls: Iterable[Call], by: str) -> Counter:
    found: Counter = Counter()
    for call in calls:
        found[name_of(call, by)] += call.tokens
    return found


def token_share(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "by", "estimated", "tolerance", "total")
    by, tolerance = prop.get("by", "workload"), prop["tolerance"]
    sent, got = _tokens(kernel.calls, by), _tokens(kernel.admitted, by)
    for name, estimated in prop["estimated"].items():
        if sent[name] > 20:
            least = (1 - tolerance) * min(estimated, sent[name])
            assert got[name] >= least, f"{name}: {float(got[name])} of {float(least)}"
    total = prop.get("total")
    if total is not None:
        found = sum(got.values())
        assert abs(found - total) <= tolerance * total, f"{float(found)} in all"


def equal_share(kernel: Kernel, prop: dict) -> None:
    pairs = prop.get("pairs") or [_only(prop, "pair", "workloads", "keys", "between")]
    known(prop, "type", "by", "tolerance", "pair", "pairs", "workloads", "keys", "between")
    names = {name for pair in pairs for name in pair}
    by = prop.get("by") or ("workload/fairness_key" if any("/" in n for n in names) else "workload")
    got = _tokens(kernel.admitted, by)
    for one, other in (pair for group in pairs for pair in combinations(group, 2)):
        apart = abs(got[one] - got[other])
        allowed = _tolerance(prop["tolerance"], max(got[one], got[other]))
        assert apart <= allowed, f"{one} {float(got[one])}, {other} {float(got[other])}"


def actual_share(kernel: Kernel, prop: dict) -> None:
    known(prop, "type", "ideal", "tolerance", "window")
    used: Counter = Counter()
    for call in within(kernel.admitted, prop.get("window")):
        used[call.workload] += call.actual
    ideal = prop["ideal"]
    whole = sum(used[name] for name in ideal)
    as_parts = sum(ideal.values()) <= 1 < whole
    for name, value in ideal.items():
        found = used[name] / whole if as_parts else used[name]
        assert abs(found - value) <= _tolerance(prop["tolerance"], value), f"{name}: {float(found)}"


def _tolerance(tolerance: Any, value: Any) -> Any:
    """Below 1 a tolerance is relative, from 1 on it is a number of tokens."""
    return tolerance * value if tolerance < 1 else tolerance


def admitted_by(kernel: Kernel, prop: dict) -> None:
    for call, when in _instants(kernel, prop):
        assert call.admitted is not None, f"{call.id} was not admitted"
        assert call.admitted <= when + TINY, f"{call.id} at {float(call.admitted)}"


def not_before(kernel: Kernel, prop: dict) -> None:
    for call, when in _instants(kernel, prop):
        assert call.admitted is None or call.admitted >= when - TINY, (
            f"{call.id} at {float(call.admitted)}"
        )


def _only(prop: dict, *keys: str) -> Any:
    found = [key for key in keys if key in prop]
    assert len(found) == 1, f"{prop['type']} needs one of {keys}: {sorted(prop)}"
    return prop[found[0]]


def _instants(kernel: Kernel, prop: dict) -> list[tuple[Call, Any]]:
    """Instants per id: one object of them, or one id with its instant."""
    rest = {key: value for key, value in prop.items() if key != "type"}
    maps = [value for value in rest.values() if isinstance(value, dict)]
    if "id" in rest:
        (when,) = (value for key, value in rest.items() if key != "id")
        instants = {rest["id"]: when}
    else:
        assert len(maps) == len(rest) == 1, f"{prop['type']}: {sorted(rest)}"
        instants = maps[0]
    by_id = {call.id: call for call in kernel.calls}
    return [(by_id[ident], when) for ident, when in instants.items()]


PROPERTIES: dict[str, Callable[[Kernel, dict], None]] = {
    "sfq_bound": sfq_bound,
    "fifo_within_workload": fifo_within_workload,
    "work_conserving": work_conserving,
    "rate_cap": rate_cap,
    "admitted_count": admitted_count,
    "max_wait": max_wait,
    "none_rejected": none_rejected,
    "all_rejected": all_rejected,
    "drained": drained,
    "token_share": token_share,
    "equal_share": equal_share,
    "actual_share": actual_share,
    "admitted_by": admitted_by,
    "not_before": not_before,
}


def check_properties(kernel: Kernel, properties: list[dict], *, closed_loop: bool = False) -> None:
    checks = {**PROPERTIES, "max_wait": max_wait_for_answer} if closed_loop else PROPERTIES
    for prop in properties:
        check = checks.get(prop["type"])
        assert check is not None, f"unknown property {prop['type']}"
        check(kernel, prop)
