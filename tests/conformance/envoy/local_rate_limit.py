"""Vectors of Envoy's local rate limiter and its HTTP filter, on `LocalRateLimit`, `LimitFilter`.

The older mode, "timer", is here and not in the product: a `Pool` that fills at ticks alone.
"""

from fractions import Fraction
from math import ceil
from typing import Any

from conformance.envoy.limit_steps import count, known, number, replay, same
from trafficcore.core.limit import (
    Decision,
    Descriptor,
    DescriptorLimit,
    Fill,
    LimitAnswer,
    LimitFilter,
    LocalRateLimit,
)
from trafficcore.core.limit.descriptors import Pool
from trafficcore.errors import ConfigError

CONFIG = {
    "token_bucket",
    "descriptors",
    "always_consume_default_token_bucket",
    "max_dynamic_descriptors",
    "share_factor",
    "local_rate_limit_per_downstream_connection",
    "mode",
    "http",
}
HTTP = {"enabled", "enforced", "x_ratelimit_headers", "request_headers_to_add_when_not_enforced"}
OF_HTTP = {"status", "body", "headers", "request_headers", "stats"}


class Timer:
    """Counts ticks for the buckets that fill at them."""

    def __init__(self, interval: Fraction, share: Fraction) -> None:
        self.interval = interval
        self.share = share
        self.ticks = 0
        self.pools: list[TimerPool] = []

    def pool(self, fill: Fill) -> Pool:
        if not self.interval or fill.fill_interval % self.interval:
            raise ConfigError("an interval must be a whole multiple of the default bucket's")
        return TimerPool(fill, self)

    def tick(self, now: Fraction) -> None:
        self.ticks += 1
        for pool in self.pools:
            pool.tick(now)


class TimerPool(Pool):
    """Gains tokens_per_fill at every n-th tick, rounded up where it is shared."""

    def __init__(self, fill: Fill, timer: Timer) -> None:
        self.fill = fill
        self.timer = timer
        self.every = fill.fill_interval // timer.interval
        self.tokens = fill.max_tokens
        self.filled = Fraction(0)
        timer.pools.append(self)

    def tick(self, now: Fraction) -> None:
        if self.timer.ticks % self.every == 0:
            gained = ceil(self.fill.tokens_per_fill * self.timer.share)
            self.tokens = min(self.fill.max_tokens, self.tokens + gained)
            self.filled = now

    def take(self, now: float, cost: float) -> bool:
        # A share made the request dearer; here it is the fill that is smaller.
        cost *= self.timer.share
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def give(self, now: float, tokens: float) -> None:
        self.tokens = min(self.fill.max_tokens, self.tokens + tokens)

    def remaining(self, now: float) -> int:
        return int(self.tokens)

    def reset_after(self, now: float) -> int:
        elapsed = now - self.filled
        return (
            int(self.fill.fill_interval - elapsed // 1) if elapsed < self.fill.fill_interval else 0
        )


def _fill(bucket: dict[str, Any] | None) -> Fill | None:
    if bucket is None:
        return None
    known(bucket, {"max_tokens", "tokens_per_fill", "fill_interval"}, "token_bucket")
    return Fill(
        number(bucket.get("max_tokens", 0)),
        number(bucket.get("tokens_per_fill", 1)),
        number(bucket.get("fill_interval", 0)),
    )


def _entries(entries: list[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in entries)


def _limit(descriptor: dict[str, Any]) -> DescriptorLimit:
    known(descriptor, {"entries", "token_bucket"}, "descriptor")
    fill = _fill(descriptor.get("token_bucket")) or Fill(Fraction(0))
    return DescriptorLimit(_entries(descriptor["entries"]), fill)


def _asked(descriptor: dict[str, Any]) -> Descriptor:
    known(descriptor, {"entries", "hits_addend", "refund"}, "request's descriptor")
    hits, refund = number(descriptor.get("hits_addend", 1)), descriptor.get("refund", False)
    assert isinstance(refund, bool), f"refund is {refund!r}"
    return Descriptor(_entries(descriptor["entries"]), -abs(hits) if refund else hits)


def _percent(value: Any) -> Fraction:
    return Fraction(100 * value) if isinstance(value, bool) else number(value)


def _headers(given: Any) -> tuple[tuple[str, str], ...]:
    """Read a mapping, a list of pairs, or a list of {key or name, value} objects."""
    pairs = given.items() if isinstance(given, dict) else given or ()
    return tuple(_header(pair) for pair in pairs)


def _header(pair: Any) -> tuple[str, str]:
    if isinstance(pair, dict):
        pair = pair.get("header", pair)
        known(pair, {"key", "name", "value", "append_action", "append"}, "header")
        pair = pair.get("key", pair.get("name")), pair["value"]
    name, value = pair
    return str(name).lower(), _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wants_headers(value: Any) -> bool:
    if isinstance(value, str):
        words = {"off": False, "draft_version_03": True, "draft_03": True, "draft03": True}
        assert value.lower() in words, f"x_ratelimit_headers: {value!r}"
        return words[value.lower()]
    assert value is None or isinstance(value, bool), f"x_ratelimit_headers: {value!r}"
    return bool(value)


class Limiter:
    def __init__(self, config: dict[str, Any]) -> None:
        known(config, CONFIG, "config")
        default = _fill(config.get("token_bucket"))
        settings: dict[str, Any] = {}
        share = number(config["share_factor"]) if "share_factor" in config else None
        mode = config.get("mode", "continuous")
        assert mode in ("continuous", "timer"), f"mode {mode!r}"
        self.timer: Timer | None = None
        if mode == "timer":
            self.timer = Timer(
                Fraction(default.fill_interval if default else 0), share or Fraction(1)
            )
            settings["pool"] = self.timer.pool
        self.limit = LocalRateLimit(
            default,
            [_limit(each) for each in config.get("descriptors") or ()],
            always_consume_default=config.get("always_consume_default_token_bucket", True),
            max_dynamic=count(config.get("max_dynamic_descriptors", 20)),
            share=share,
            per_connection=config.get("local_rate_limit_per_downstream_connection", False),
            **settings,
        )
        self.filter = self._filter(config.get("http"))
        self.now = Fraction(0)
        self.answer: Decision | LimitAnswer | None = None

    def _filter(self, http: dict[str, Any] | None) -> LimitFilter | None:
        if http is None:
            return None
        known(http, HTTP, "http")
        return LimitFilter(
            self.limit,
            enabled=_percent(http.get("enabled", False)),
            enforced=_percent(http.get("enforced", False)),
            x_ratelimit_headers=_wants_headers(http.get("x_ratelimit_headers")),
            unenforced_headers=_headers(http.get("request_headers_to_add_when_not_enforced")),
        )

    def act(self, op: str, step: dict[str, Any]) -> None:
        now = number(step.pop("t", self.now))
        assert now >= self.now, "time never falls"
        self.now = now
        if op == "request":
            known(step, {"descriptors", "connection", "n"}, op)
            self._request(step)
        elif op == "tick":
            known(step, (), op)
            assert self.timer is not None, "a tick, and no timer"
            self.timer.tick(now)
        elif op == "advance":
            known(step, (), op)
        else:
            raise AssertionError(f"unknown op {op!r}")

    def _request(self, step: dict[str, Any]) -> None:
        descriptors = [_asked(each) for each in step.get("descriptors") or ()]
        connection = step.get("connection")
        ask = self.limit.decide if self.filter is None else self.filter.answer
        for _ in range(count(step.get("n", 1))):
            self.answer = ask(self.now, descriptors, connection)

    def check(self, key: str, expected: Any) -> None:
        if key == "stats":
            self._check_stats(expected)
            return
        answer = self.answer
        assert answer is not None, "nothing has been asked yet"
        if key == "allowed":
            same(key, answer.allowed, expected)
        elif key == "bucket":
            same(key, "none" if answer.pool is None else "some", expected)
        elif key in ("limit", "remaining"):
            pool = answer.pool
            assert pool is not None, f"{key}: no bucket was involved"
            got = pool.fill.max_tokens if key == "limit" else pool.remaining(self.now)
            same(key, got, expected)
        elif key in OF_HTTP:
            assert isinstance(answer, LimitAnswer), f"{key} without the HTTP filter"
            self._check_http(key, answer, expected)
        else:
            raise AssertionError(f"unknown expectation {key!r}")

    def _check_http(self, key: str, answer: LimitAnswer, expected: Any) -> None:
        if key == "status":
            same(key, answer.status or 200, expected)
        elif key == "body":
            same(key, answer.body or "", expected or "")
        elif key == "request_headers":
            same(key, dict(answer.request_headers), dict(_headers(expected)))
        else:
            self._check_headers(dict(answer.headers), expected)

    def _check_headers(self, got: dict[str, str], expected: Any) -> None:
        """Only what is named is checked; None is absent, and nothing named is no such headers."""
        named = expected if isinstance(expected, dict) else dict(_headers(expected))
        for name, value in named.items():
            same(name, got.get(name.lower()), None if value is None else _text(value))
        if not named:
            same("headers", [name for name in got if name.startswith("x-ratelimit-")], [])

    def _check_stats(self, expected: dict[str, int]) -> None:
        assert self.filter is not None, "stats without the HTTP filter"
        known(expected, self.filter.stats, "stats")
        for name, value in expected.items():
            same(name, self.filter.stats[name], value)


def run(case: dict[str, Any]) -> None:
    replay(case, Limiter)
