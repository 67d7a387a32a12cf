"""Retries by the book: every try and every decision is written down, and counted anew each time.

Exact on Fractions. Slow on purpose.
"""

from fractions import Fraction

from trafficcore.spec import Retries

GRPC = {"cancelled": 1, "deadline-exceeded": 4, "resource-exhausted": 8, "internal": 13}


class ModelUpstream:
    """What happened at one service: who came in and who went, tries and retries apart."""

    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []

    def now_in(self, what: str) -> int:
        came = sum(1 for event, _ in self.log if event == f"{what} begins")
        return came - sum(1 for event, _ in self.log if event == f"{what} ends")


class ModelCall:
    """One call: its tries as they ended, in order."""

    def __init__(self, policy: Retries, upstream: ModelUpstream, start: Fraction, repeat: bool):
        self.policy = policy
        self.upstream = upstream
        self.start = start
        self.repeat = repeat
        self.used = 0  # attempts that a decision took, let in or not
        self.under_way = False

    def answered(
        self,
        status,
        now,
        draw,
        *,
        replayable=True,
        grpc=None,
        after=None,
        over=False,
        limited=False,
    ):
        words = set(self.policy.on)
        reasons = {
            "5xx": status // 100 == 5,
            "gateway-error": status in (502, 503, 504),
            "retriable-4xx": status == 409,
            **{str(number): status == number for number in range(100, 600)},
            **{word: grpc == str(code) for word, code in GRPC.items()},
            "unavailable": grpc == "14",
        }
        wanted = any(holds for word, holds in reasons.items() if word in words)
        if limited:
            wanted = "envoy-ratelimited" in words
        if over:
            wanted = False
        return self._again(wanted, now, draw, self.repeat and replayable, after or 0)

    def failed(self, fault, now, draw, *, replayable=True):
        words = set(self.policy.on)
        wanted = fault != "ours" and bool(words & {"5xx", "gateway-error", "reset", fault})
        nothing_done = fault in ("connect-failure", "refused-stream")
        return self._again(wanted, now, draw, (nothing_done or self.repeat) and replayable, 0)

    def over(self):
        if self.under_way:
            self.upstream.log.append(("retry ends", self))
            self.under_way = False

    def _again(self, wanted, now, draw, safe, after):
        self.over()
        if not wanted or not safe or self.used >= self.policy.attempts:
            return None
        longest = self.policy.max_interval or 10 * self.policy.base_interval
        interval = min(self.policy.base_interval * 2**self.used, longest)
        self.used += 1
        wait = after + draw * interval
        if after > self.policy.max_retry_after:
            return None
        if self.policy.timeout is not None and now + wait >= self.start + self.policy.timeout:
            return None
        caps, retries = self.policy.caps, self.upstream.now_in("retry")
        if caps.budget_percent is not None:
            share = Fraction(caps.budget_percent) * self.upstream.now_in("try") / 100
            if retries + 1 > max(int(share), caps.min_retry_concurrency):
                return None
        elif caps.max_retries is not None and retries + 1 > caps.max_retries:
            return None
        self.upstream.log.append(("retry begins", self))
        self.under_way = True
        return wait
