"""A quota with a fair queue, as slow and plain as its rules: lists, no heaps, tags at every look.

Rules are those of the scheduling vectors, by number. Times and amounts are best `Fraction`s.
"""

from math import ceil, inf


class ModelBucket:
    """Rule 2, and 9: tokens may be owed. Asked at times that never go back."""

    def __init__(self, capacity, fill, interval=1, *, even=True, delay=False, initial=None):
        self.capacity, self.fill, self.interval = capacity, fill, interval
        self.even, self.delay = even, delay
        self.tokens = capacity if initial is None else initial
        self.at = 0
        self.filling_from = 0  # even: no token comes before
        self.next_fill = interval  # otherwise: when the next lot comes

    def advance(self, now):
        if self.even:
            start = max(self.at, self.filling_from)
            if now > start:
                self.tokens += (now - start) * self.fill / self.interval
        else:
            while self.next_fill <= now:
                self.tokens += self.fill
                self.tokens = min(self.tokens, self.capacity)
                self.next_fill += self.interval
        self.tokens = min(self.tokens, self.capacity)
        self.at = max(self.at, now)

    def take(self, now, cost):
        self.advance(now)
        if self.delay and self.tokens == self.capacity and self.fill:
            if self.even:
                self.filling_from = now + self.capacity * self.interval / self.fill
            else:
                self.next_fill = now + ceil(self.capacity / self.fill) * self.interval
        self.tokens -= cost

    def give(self, now, cost):
        self.advance(now)
        self.tokens = min(self.capacity, self.tokens + cost)

    def level(self, now):
        self.advance(now)
        return self.tokens

    def when(self, amount):
        """When the level reaches `amount`, if nobody takes any more."""
        short = amount - self.tokens
        if short <= 0:
            return self.at
        if amount > self.capacity or not self.fill:
            return inf
        if self.even:
            return max(self.at, self.filling_from) + short * self.interval / self.fill
        return self.next_fill + (ceil(short / self.fill) - 1) * self.interval


class ModelSlots:
    """Rule 11. `leases` maps what was granted to (cost, when it is taken for ended)."""

    def __init__(self, limit, duration=inf):
        self.limit, self.duration = limit, duration
        self.leases = {}

    def in_flight(self, now):
        self.leases = {k: v for k, v in self.leases.items() if v[1] > now}
        return sum(cost for cost, _ in self.leases.values())

    def fits(self, now, cost):
        out = self.in_flight(now)
        return out + cost <= self.limit or (not out and self.limit > 0)

    def when(self, now, cost):
        if self.fits(now, cost):
            return now
        return min((end for _, end in self.leases.values()), default=inf)


class ModelWaiter:
    def __init__(self, number, flow, key, weight, cost, deadline):
        self.number, self.flow, self.key = number, flow, key
        self.weight, self.cost, self.deadline = weight, cost, deadline
        self.fate = "waiting"
        self.period = None


class ModelQueue:
    """Rules 6, 7, 8 and 10: who is next. One list of waiters, in the order of their arrival."""

    def __init__(self, tags="finish"):
        self.start_tags = tags == "start"
        self.waiters = []
        self.clocks = {}
        self.virtual = 0
        self.period = 0

    def lane(self, waiter):
        return waiter.flow, waiter.key

    def push(self, waiter):
        lane = self.lane(waiter)
        if all(self.lane(other) != lane for other in self.waiters):
            self.clocks[lane] = max(self.clocks.get(lane, 0), self.virtual)
        waiter.period = self.period
        self.waiters.append(waiter)

    def finish(self, waiter):
        """S + n cost / weight, n the lanes of the flow in which somebody waits."""
        lanes = {self.lane(other) for other in self.waiters if other.flow == waiter.flow}
        return self.clocks[self.lane(waiter)] + waiter.cost * len(lanes) / waiter.weight

    def tag(self, waiter):
        return self.clocks[self.lane(waiter)] if self.start_tags else self.finish(waiter)

    def heads(self):
        seen, heads = set(), []
        for waiter in self.waiters:
            if self.lane(waiter) not in seen:
                seen.add(self.lane(waiter))
                heads.append(waiter)
        return heads

    def head(self):
        return min(self.heads(), key=lambda w: (self.tag(w), w.number), default=None)

    def serve(self, waiter):
        tag, finish = self.tag(waiter), self.finish(waiter)
        self.virtual = max(self.virtual, tag)
        self.clocks[self.lane(waiter)] = finish
        self.remove(waiter)

    def remove(self, waiter):
        self.waiters.remove(waiter)
        if not self.waiters:
            self.clocks, self.virtual = {}, 0
            self.period += 1

    def correct(self, waiter, difference):
        if waiter.period == self.period and self.waiters:
            self.clocks[self.lane(waiter)] += difference / waiter.weight


class ModelQuota:
    """Rules 1 to 13 over one budget. `poll` at every instant at which something may happen."""

    def __init__(self, budget, *, tags="finish", max_waiting=None):
        self.budget = budget
        self.queue = ModelQueue(tags)
        self.max_waiting = max_waiting
        self.chosen = None
        self.decided = []
        self.number = 0

    def slots(self):
        return isinstance(self.budget, ModelSlots)

    def try_acquire(self, now, cost, lease=None):
        if cost <= 0:
            return True
        if self.queue.waiters:
            return False
        return self.take(now, cost, lease)

    def take(self, now, cost, lease):
        if self.slots():
            if not self.budget.fits(now, cost):
                return False
            self.budget.leases[lease] = (cost, now + self.budget.duration)
            return True
        if self.budget.level(now) < cost:
            return False
        self.budget.take(now, cost)
        return True

    def enqueue(self, now, flow, weight, cost, deadline, key=None):
        self.number += 1
        waiter = ModelWaiter(self.number, flow, key, weight, cost, deadline)
        if deadline <= now:
            waiter.fate = "refused"
            return waiter
        self.queue.push(waiter)
        if self.max_waiting is not None and len(self.queue.waiters) > self.max_waiting:
            victim = self.victim()
            self.leave(victim, now, "refused")
            if victim is not waiter:
                self.decided.append(victim)
        return waiter

    def victim(self):
        """The newest of the fullest lane of the flow with most cost, by its newest's weight."""
        waiters = self.queue.waiters

        def cost(of):
            return sum(w.cost for w in of)

        def newest_of(flow):
            lanes = {}
            for w in waiters:
                if w.flow == flow:
                    lanes.setdefault(w.key, []).append(w)
            return max(
                (lane[-1] for lane in lanes.values()), key=lambda w: (cost(lanes[w.key]), w.number)
            )

        def rank(flow):
            last = newest_of(flow)
            return cost([w for w in waiters if w.flow == flow]) / last.weight, last.number

        return newest_of(max({w.flow for w in waiters}, key=rank))

    def leave(self, waiter, now, fate):
        self.queue.remove(waiter)
        waiter.fate = fate
        if waiter is self.chosen:
            self.chosen = None
            self.budget.give(now, waiter.cost)

    def poll(self, now):
        decided, self.decided = self.decided, []
        self.time_out(decided, now, lambda deadline: deadline < now)
        while self.grant_one(now, decided):
            pass
        self.time_out(decided, now, lambda deadline: deadline <= now)
        return decided

    def next_deadline(self, now):
        """When `poll` has something to decide: `now`, if it has already."""
        head = self.chosen or self.queue.head()
        if self.decided:
            return now
        if head is None:
            return inf
        if self.slots():
            due = self.budget.when(now, head.cost)
        elif self.chosen:
            due = self.budget.when(0)
        else:
            due = self.budget.when(min(head.cost, self.budget.capacity))
        return max(now, min(due, *(waiter.deadline for waiter in self.queue.waiters), inf))

    def grant_one(self, now, decided):
        waiter = self.chosen or self.queue.head()
        if waiter is None:
            return False
        if self.chosen is not None:
            if self.budget.level(now) < 0:
                return False
        elif self.slots() or waiter.cost <= self.budget.capacity:
            if not self.take(now, waiter.cost, waiter.number):
                return False
        else:
            if self.budget.level(now) == self.budget.capacity:
                self.budget.take(now, waiter.cost)
                self.chosen = waiter
            return False
        self.chosen = None
        self.queue.serve(waiter)
        waiter.fate = "granted"
        decided.append(waiter)
        return True

    def time_out(self, decided, now, passed):
        for waiter in sorted(self.queue.waiters, key=lambda w: (w.deadline, w.number)):
            if passed(waiter.deadline):
                self.leave(waiter, now, "timed_out")
                decided.append(waiter)

    def cancel(self, waiter, now):
        if waiter.fate != "waiting":
            return False
        self.leave(waiter, now, "cancelled")
        return True

    def reconcile(self, now, waiter, actual):
        self.budget.give(now, waiter.cost - actual)
        self.queue.correct(waiter, actual - waiter.cost)
        waiter.cost = actual
