"""A cluster whose endpoints come and go, as a log of lives: slow, and easy to believe.

Each time an address joins a new life of it begins, and ends when the address leaves. A call belongs
to the life that it was sent to, whatever became of the address since. Nothing is carried from one
life to the next.
"""

from typing import Any

import attrs

__all__ = ["Churn", "Life"]


@attrs.define(eq=False)
class Life:
    """One stay of one address: how its calls ended, and how many have not."""

    address: str
    labels: dict[str, str]
    weight: int
    joined: float
    ended: list[bool] = attrs.field(factory=list)
    in_flight: int = 0
    here: bool = True

    def run(self) -> int:
        """How many calls failed in a row, up to now."""
        length = 0
        for good in reversed(self.ended):
            if good:
                break
            length += 1
        return length


@attrs.define
class Churn:
    """The lives of one cluster; an address is out from its `limit`-th failure in a row on."""

    limit: int
    lives: list[Life] = attrs.field(factory=list)
    out: list[Life] = attrs.field(factory=list)

    def here(self) -> dict[str, Life]:
        return {life.address: life for life in self.lives if life.here}

    def change(self, given: list[tuple[Any, ...]], now: float) -> tuple[list[str], list[str]]:
        """Have these be the endpoints from now on; return who joined and who left."""
        before = self.here()
        wanted = {address: (weight, labels) for address, _, weight, labels in given}
        for address, life in before.items():
            life.here = address in wanted
        for address, (weight, labels) in wanted.items():
            if address in before:
                before[address].weight, before[address].labels = weight, labels
            else:
                self.lives.append(Life(address, labels, weight, now))
        order = list(wanted)
        self.lives.sort(key=lambda life: order.index(life.address) if life.here else -1)
        return [a for a in wanted if a not in before], [a for a in before if a not in wanted]

    def send(self, address: str) -> Life:
        life = self.here()[address]
        life.in_flight += 1
        return life

    def end(self, life: Life, good: bool | None) -> None:
        """End a call; None: it says nothing of the endpoint."""
        life.in_flight -= 1
        if good is None or not life.here:
            return
        life.ended.append(good)
        if life.run() == self.limit and life not in self.out:
            self.out.append(life)

    def all_back(self) -> None:
        """Let a time pass after which everybody is back, with a run that begins anew."""
        for life in self.out:
            life.ended.append(True)
        self.out.clear()

    def takers(self) -> set[str]:
        return {address for address, life in self.here().items() if life not in self.out}

    def in_flight(self) -> int:
        return sum(life.in_flight for life in self.lives)
