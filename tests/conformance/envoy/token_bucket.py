"""Vectors of Envoy's raw token bucket, on `TokenBucket`."""

from fractions import Fraction
from math import ceil
from typing import Any

from conformance.envoy.limit_steps import known, number, replay, same
from trafficcore.core.limit import TokenBucket

#: Envoy fills no slower than a token a year.
SLOWEST = Fraction(1, 365 * 24 * 60 * 60)


class RawBucket:
    def __init__(self, config: dict[str, Any]) -> None:
        known(config, {"max_tokens", "fill_rate"}, "config")
        # Envoy drops the sign; our own bucket refuses it.
        rate = max(abs(number(config.get("fill_rate", 1))), SLOWEST)
        self.bucket = TokenBucket(number(config["max_tokens"]), rate)
        self.now = Fraction(0)
        self.consumed: Fraction | None = None

    def act(self, op: str, step: dict[str, Any]) -> None:
        now = number(step.pop("t", self.now))
        assert now >= self.now, "time never falls"
        self.now = now
        if op == "consume":
            known(step, {"tokens", "allow_partial"}, op)
            self.consumed = self._consume(
                number(step.get("tokens", 1)), step.get("allow_partial", False)
            )
        elif op == "reset":
            known(step, {"tokens"}, op)
            self.bucket.reset(number(step["tokens"]), now)
        elif op == "advance":
            known(step, (), op)
        else:
            raise AssertionError(f"unknown op {op!r}")

    def _consume(self, tokens: Fraction, partial: bool) -> Fraction:
        if tokens == 0:
            return tokens
        if partial:
            return Fraction(self.bucket.take_up_to(self.now, tokens))
        return tokens if self.bucket.try_acquire(self.now, tokens) else Fraction(0)

    def check(self, key: str, expected: Any) -> None:
        tokens = self.bucket.tokens_at(self.now)
        if key == "consumed":
            same(key, self.consumed, expected)
        elif key == "remaining":
            same(key, tokens // 1, expected)
        elif key == "next_token_ms":
            # Envoy's own estimate: what has come in since the last token is not taken off.
            same(key, 0 if tokens >= 1 else ceil(1000 / self.bucket.rate), expected)
        else:
            raise AssertionError(f"unknown expectation {key!r}")


def run(case: dict[str, Any]) -> None:
    replay(case, RawBucket)
