"""The rows that compare rivals tell a limit that does not hold."""

from types import SimpleNamespace

import pytest

from benchmarks.peers import rows
from benchmarks.peers.adapters import ours
from benchmarks.peers.compare import table

ALWAYS = SimpleNamespace(limiter=lambda *_: lambda: True)
NEVER = SimpleNamespace(limiter=lambda *_: lambda: False)


def test_one_that_always_or_never_says_yes_has_no_figure() -> None:
    with pytest.raises(ArithmeticError, match=r"(\d+) of \1 said yes, not 0"):
        rows.refuse(ALWAYS)
    with pytest.raises(ArithmeticError, match=r"\b0 of (\d+) said yes, not \1"):
        rows.allow(NEVER)


def test_what_threads_get_beyond_the_limit_is_counted() -> None:
    assert rows.over_threads(ALWAYS) == 40 * (8 * 1000 - 2000)
    assert rows.over_threads(ours) == 0


def test_what_a_rival_does_not_offer_is_left_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "adapter", lambda _: ALWAYS)
    assert rows.run("always", "asgi") is None
    peers = [{"title": "a", "rows": {"allow": 0.5, "asgi": 144.4}}]
    assert (
        table(
            peers, ["allow", "refuse", "asgi"], {name: row[2] for name, row in rows.ROWS.items()}
        )[2]
        == "| a | 0.50 |  | 144 |"
    )
