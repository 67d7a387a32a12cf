"""`python -m benchmarks.clients`: what a good call costs through requests, and what retries add.

Each row sends by a session's adapter over urllib3's own pool, whose connection answers from memory;
rows are timed in turn with the floor and with the bare adapter, and what is shown is the median of
what they cost, and of what that is over the bare one.
"""

import statistics
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from benchmarks.floor import Floor
from trafficcore.clients import Retries, TrafficAdapter

CALLS, ROUNDS = 500, 31
URL = "http://api.example/orders/7"


class Pool(urllib3.HTTPConnectionPool):
    """A pool that makes no connection: urllib3's retries are above this, and are its own."""

    def _make_request(self, *_args: Any, **_how: Any) -> Any:
        return urllib3.HTTPResponse(BytesIO(b"hello"), {}, 200, preload_content=False)


def over(adapter: Any) -> Callable[[], bool]:
    """Return what sends one request by an adapter whose pool answers from memory."""
    pool = Pool("api.example")
    adapter.get_connection_with_tls_context = lambda *_args, **_how: pool
    request = requests.Request("GET", URL).prepare()

    def call() -> bool:
        answer = adapter.send(request, timeout=(5, 5))
        return bool(answer.content == b"hello")

    return call


def by_tenacity() -> Callable[[], bool]:
    """Return the bare call with tenacity around it, on errors, up to three times."""
    return tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_random_exponential(0.025, 0.25),
        retry=tenacity.retry_if_exception_type(requests.RequestException),
    )(over(HTTPAdapter()))


def main() -> None:
    """Print the table."""
    rows = {
        "requests": over(HTTPAdapter()),
        "with urllib3's Retry": over(HTTPAdapter(max_retries=Retry(2, status_forcelist=[503]))),
        "with tenacity": by_tenacity(),
        "TrafficAdapter, a breaker a host": over(TrafficAdapter()),
        "and retries in a budget": over(TrafficAdapter(retries=Retries(2))),
    }
    floor = Floor().call
    taken: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        base = each(floor)
        for name, call in rows.items():
            assert call()
            taken[name].append(each(call) / base)
    bare = taken["requests"]
    print(f"{'a good call through':34} {'floors':>7} {'more':>6} {'times':>6}")
    for name, costs in taken.items():
        more = statistics.median(one - other for one, other in zip(costs, bare, strict=True))
        times = statistics.median(one / other for one, other in zip(costs, bare, strict=True))
        print(f"{name:34} {statistics.median(costs):7.0f} {more:6.0f} {times:6.2f}")


def each(call: Callable[[], Any]) -> float:
    """Return the processor's seconds of one call."""
    begun = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begun) / CALLS


if __name__ == "__main__":
    main()
