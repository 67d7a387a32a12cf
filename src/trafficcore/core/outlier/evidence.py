"""What is held against an endpoint: who, by which detector, on which counts.

Law     The periodic detectors look at the endpoints that are in and were called in the interval
        that ended; not at all where the whole cluster, those that are out included, is smaller
        than both of their minima. A rate is published from the smaller of the two volumes on.
Source  Envoy, `processSuccessRateEjections`.
"""

from typing import Final

import attrs

from trafficcore.core.outlier.changes import Ejected, Kind
from trafficcore.core.outlier.detect import Finding, periodic
from trafficcore.core.outlier.settings import Settings
from trafficcore.core.outlier.tally import Tally

__all__ = ["Evidence", "gather"]

_KINDS: Final = {
    False: (Kind.SUCCESS_RATE, Kind.FAILURE_PERCENTAGE),
    True: (Kind.SUCCESS_RATE_LOCAL_ORIGIN, Kind.FAILURE_PERCENTAGE_LOCAL_ORIGIN),
}


@attrs.frozen
class Evidence:
    """One detection. The fields mean what they do in `Ejected`."""

    tally: Tally
    kind: Kind
    count: int
    threshold: float
    requests: int | None = None
    rate: float | None = None
    average: float | None = None

    def told(self, at: float, until: float | None) -> Ejected:
        """Return what the owner is told: until when its endpoint is out, None if it is not."""
        return Ejected(
            key=self.tally.key,
            kind=self.kind,
            enforced=until is not None,
            at=at,
            until=until,
            count=self.count,
            threshold=self.threshold,
            requests=self.requests,
            rate=self.rate,
            average=self.average,
            multiplier=self.tally.multiplier,
            num_ejections=self.tally.num_ejections,
        )


def gather(
    called: list[Tally], hosts: int, settings: Settings, *, local: bool
) -> tuple[Finding, list[Evidence]]:
    """Look at the settled interval of the endpoints that were called; publish their rates.

    `hosts` is the size of the cluster, `local` tells which of the two origins is looked at.
    """
    least = min(settings.success_rate_minimum_hosts, settings.failure_percentage_minimum_hosts)
    samples = _samples(called, local=local) if hosts >= least else []
    if not samples:
        return Finding(rates=[]), []
    finding = periodic([good for _, good, _ in samples], [n for _, _, n in samples], settings)
    _publish(samples, finding.rates, settings, local=local)
    compared, measured = _KINDS[local]
    found = []
    for i in finding.below:
        tally, good, total = samples[i]
        rate, edge, average = finding.rates[i], finding.threshold, finding.average
        found.append(Evidence(tally, compared, total - good, edge, total, rate, average))
    for i in finding.failing:
        tally, good, total = samples[i]
        limit = settings.failure_percentage_threshold
        found.append(Evidence(tally, measured, total - good, limit, total, finding.rates[i]))
    return finding, found


def _samples(called: list[Tally], *, local: bool) -> list[tuple[Tally, int, int]]:
    """Return (tally, successes, requests) of those that are in and were called."""
    samples = []
    for tally in called:
        if tally.ejected:
            continue
        if local:
            good, bad = tally.last_local_successes, tally.last_local_failures
        else:
            good, bad = tally.last_successes, tally.last_failures
        if good or bad:
            samples.append((tally, good, good + bad))
    return samples


def _publish(
    samples: list[tuple[Tally, int, int]], rates: list[float], settings: Settings, *, local: bool
) -> None:
    volume = min(settings.success_rate_request_volume, settings.failure_percentage_request_volume)
    for (tally, _, total), rate in zip(samples, rates, strict=True):
        if total >= volume:
            if local:
                tally.local_success_rate = rate
            else:
                tally.success_rate = rate
