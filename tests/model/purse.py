"""Several budgets and one queue, as plain as their law: lists, and parts of one quota's model."""

from model.fair import ModelBucket, ModelQueue, ModelSlots, ModelWaiter


class ModelPurse:
    """`buckets` are (capacity, rate); a cost is a list of parts. Time never goes back."""

    def __init__(self, buckets, slots=None):
        self.rates = [rate for _, rate in buckets]
        self.buckets = [ModelBucket(capacity, rate) for capacity, rate in buckets]
        self.slots = None if slots is None else ModelSlots(slots)
        self.queue = ModelQueue()
        self.parts = {}
        self.number = 0

    def size(self, parts):
        seconds = [float(part / rate) for part, rate in zip(parts, self.rates, strict=True)]
        return max(seconds + ([] if self.slots is None else [1 / self.slots.limit]))

    def fits(self, now, parts):
        enough = all(
            not part or bucket.level(now) >= part
            for bucket, part in zip(self.buckets, parts, strict=True)
        )
        return enough and (self.slots is None or self.slots.fits(now, 1))

    def take(self, now, parts, who):
        for bucket, part in zip(self.buckets, parts, strict=True):
            bucket.advance(now)
            bucket.tokens -= part
        if self.slots is not None:
            self.slots.leases[who] = (1, float("inf"))
        self.parts[who] = list(parts)

    def ask(self, now, who, flow, weight, parts, deadline):
        """Return True where it goes at once; else it waits, or is refused where it may not."""
        if not self.queue.waiters and self.fits(now, parts):
            self.take(now, parts, who)
            return True
        waiter = ModelWaiter(who, flow, None, weight, self.size(parts), deadline)
        self.parts[who] = list(parts)
        if deadline > now:
            self.queue.push(waiter)
        return False

    def poll(self, now):
        """Return who goes at `now`, in order; whose time is over leaves."""
        gone = []
        self.leave(lambda waiter: waiter.deadline < now)
        while (head := self.queue.head()) is not None and self.fits(now, self.parts[head.number]):
            self.queue.serve(head)
            self.take(now, self.parts[head.number], head.number)
            gone.append(head)
        self.leave(lambda waiter: waiter.deadline <= now)
        return gone

    def leave(self, who):
        for waiter in [waiter for waiter in self.queue.waiters if who(waiter)]:
            self.queue.remove(waiter)

    def end(self, who):
        if self.slots is not None:
            self.slots.leases.pop(who, None)

    def correct(self, now, who, parts, waiter=None):
        for bucket, old, new in zip(self.buckets, self.parts[who], parts, strict=True):
            bucket.give(now, old - new)
        if waiter is not None:
            self.queue.correct(waiter, self.size(parts) - waiter.cost)
            waiter.cost = self.size(parts)
        self.parts[who] = list(parts)
