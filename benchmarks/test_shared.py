"""A limit shared by the workers of a machine, through its public name; nobody else asks meanwhile."""

from pathlib import Path

import pytest

from benchmarks.measure import Row
from trafficcore import RateLimiter


def test_shared_by_a_host(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAFFICCORE_SHARE_DIR", str(tmp_path / "shared"))
    acquire = RateLimiter(rate=1000, capacity=10**9, share="host", name="bench").try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in range(calls):
            if acquire():
                yes += 1
        return yes

    row.measure("limiter-shared-host", batch)
