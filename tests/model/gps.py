"""Generalized processor sharing: the fluid that fair queues are measured by.

At every instant each flow that has work gets its weight's part of the rate, by as little as there
is time. Exact on `Fraction`; every event is worked out one after the other.
"""


class Fluid:
    """`weights` by flow; those in `always` have work at all times, and take their part."""

    def __init__(self, rate, weights, always=()):
        self.rate, self.weights, self.always = rate, weights, set(always)

    def finishes(self, arrivals):
        """Return when each of the arrivals (time, flow, cost), in order of time, is served."""
        now = arrivals[0][0] if arrivals else 0
        coming = list(enumerate(arrivals))
        left = {flow: [] for flow in self.weights}
        done = {}
        while coming or any(left.values()):
            while coming and coming[0][1][0] <= now:
                number, (_, flow, cost) = coming.pop(0)
                left[flow].append([number, cost])
            speeds = self._speeds(flow for flow, work in left.items() if work)
            ends = [left[flow][0][1] / speed for flow, speed in speeds.items()]
            step = min(ends, default=None)
            if coming and (step is None or coming[0][1][0] - now < step):
                step = coming[0][1][0] - now
            for flow, speed in speeds.items():
                left[flow][0][1] -= speed * step
            now += step
            for work in left.values():
                if work and work[0][1] == 0:
                    done[work.pop(0)[0]] = now
        return [done[number] for number in range(len(arrivals))]

    def _speeds(self, busy):
        busy = set(busy)
        whole = sum(self.weights[flow] for flow in busy | self.always)
        return {flow: self.rate * self.weights[flow] / whole for flow in busy}

    def share(self, flow):
        """Return the rate that a flow has at the least, whoever else has work."""
        return self.rate * self.weights[flow] / sum(self.weights.values())
