"""Least request among hosts of one weight: two (or more) draws, or all of them."""

from typing import Any

from conformance.envoy.balance_steps import draws, play, same
from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.least_request import check_choices, full_scan, n_choices


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        choice_count: int = 2,
        selection_method: str = "n_choices",
    ) -> None:
        self.hosts = [Endpoint(host) for host in hosts]
        self.choices = check_choices(choice_count)
        self.method = selection_method.lower()
        assert self.method in {"n_choices", "full_scan"}, f"unknown method {selection_method}"

    def op_set_active(self, active: dict[str, int], t: Any = 0) -> None:
        known = {host.address: host for host in self.hosts}
        for name, calls in active.items():
            known[name].active = calls

    def op_pick(self, random: list[int] = (), t: Any = 0) -> None:  # type: ignore[assignment]
        numbers = draws(list(random))

        def draw(below: int) -> int:
            return next(numbers) % below

        if self.method == "full_scan":
            self.picked = full_scan(self.hosts, draw)
        else:
            self.picked = n_choices(self.hosts, draw, self.choices)

    def expect_host(self, value: str | None) -> None:
        same(None if self.picked is None else self.picked.address, value)
