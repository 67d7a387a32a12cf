"""A client through a rolling failure of three zones, over real sockets on loopback.

Nine servers in three zones answer one service. Zone by zone they are killed, hang, or answer too
late, and are started again; the client goes on calling. What every second saw is printed as a
table, and drawn where `--picture` names a file:

    python examples/zones/rolling.py --picture rolling.svg

Needs `pip install 'trafficcore[http]'`, and `[plot]` for the picture.
"""

import argparse
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from trafficcore import Engine
from trafficcore.engine.events import EndpointEjected, EndpointReturned, Event
from trafficcore.web.httpx import TrafficTransport

URL = "http://shop/"
#: The client's own zone first, then the other of its region, then the other region.
ZONES = {"a": "north/zone-a", "b": "north/zone-b", "c": "south/zone-c"}
#: What happens to a zone, from and until when, in seconds of a run of 22.
PLAN = (("a", "killed", 3, 11), ("b", "hangs", 6, 14), ("c", "late", 16, 20))
LENGTH = 22


POLICY = """\
# Three zones, one after the other: calls go to the own zone, then to the other one of the region,
# then to the other region.
#
# Two failures in a row eject a server for 8 seconds, and longer each time it is ejected again;
# failed connections and timeouts are failures like any other. Every second the ejected ones are
# looked at. All servers of a zone may be out at once: then the next zone is meant.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: shop
  namespace: default
spec:
  host: shop
  trafficPolicy:
    loadBalancer:
      localityLbSetting: {enabled: true}
    outlierDetection:
      consecutive5xxErrors: 2
      interval: 1s
      baseEjectionTime: 8s
      maxEjectionPercent: 100
"""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Listener"

    def do_GET(self) -> None:
        body = self.server.owner.answer()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing: there are thousands of calls."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: "Server", port: int) -> None:
        self.owner = owner
        self.connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that has gone is what this is about."""


class Server:
    """One server on a port of its own, which can be killed, started again, hang and be late."""

    def __init__(self, zone: str = "") -> None:
        self.zone = zone
        self.hits = 0
        self.late = 0.0
        self._go_on = threading.Event()
        self._go_on.set()
        self._port = 0
        self._listener: _Listener | None = None
        self._thread = threading.Thread()
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        self._listener = _Listener(self, self._port)
        self._port = self._listener.server_port
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,))
        self._thread.start()

    def kill(self) -> None:
        """Close the port and every connection, as when the process dies."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.shutdown()
        self._thread.join()
        listener.server_close()
        for connection in listener.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def hang(self) -> None:
        """Accept calls, and answer none until `go_on`."""
        self._go_on.clear()

    def go_on(self) -> None:
        self.late = 0
        self._go_on.set()

    def answer(self) -> bytes:
        self.hits += 1
        self._go_on.wait(30)
        time.sleep(self.late)
        return self.zone.encode()

    def fail(self, how: str) -> None:
        if how == "killed":
            self.kill()
        elif how == "hangs":
            self.hang()
        else:
            self.late = 1

    def recover(self) -> None:
        self.go_on()
        if self._listener is None:
            self.start()


@contextmanager
def serving(zones: Iterable[str]) -> Iterator[list[Server]]:
    """Run a server for each zone named."""
    servers = [Server(zone) for zone in zones]
    try:
        yield servers
    finally:
        for server in servers:
            server.go_on()
            server.kill()


class Log:
    """What each second saw: answers by zone, errors, who went out and who came back."""

    def __init__(self, speed: float = 1) -> None:
        self.begun = time.monotonic()
        self.speed = speed
        self.seconds: dict[int, Counter[str]] = {}
        self.notes: dict[int, list[str]] = {}
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the second of the plan that it is."""
        return (time.monotonic() - self.begun) * self.speed

    def count(self, what: str) -> None:
        with self._lock:
            self.seconds.setdefault(int(self.now()), Counter())[what] += 1

    def note(self, text: str) -> None:
        with self._lock:
            self.notes.setdefault(int(self.now()), []).append(text)

    def hear(self, event: Event) -> None:
        """Listen to the engine."""
        if isinstance(event, EndpointEjected) and event.enforced:
            self.count("ejected")
        elif isinstance(event, EndpointReturned):
            self.count("returned")

    def table(self) -> list[str]:
        head = "".join(f"  zone {zone}" for zone in ZONES)
        lines = [f"second{head}  errors  out  what happened"]
        out = 0
        for second in range(LENGTH):
            seen = self.seconds.get(second, Counter())
            out += seen["ejected"] - seen["returned"]
            cells = "".join(f"{seen[zone]:>8}" for zone in ZONES)
            notes = "; ".join(self.notes.get(second, []))
            lines.append(f"{second:>6}{cells}{seen['error']:>8}{out:>5}  {notes}".rstrip())
        return lines


def call(client: httpx2.Client, log: Log, stop: threading.Event, pause: float) -> None:
    """Call until it is over, and note who answered."""
    while not stop.wait(pause):
        try:
            answer = client.get(URL)
        except httpx2.TransportError:
            log.count("error")
        else:
            log.count(answer.text if answer.status_code == 200 else "error")


def run(speed: float = 1, callers: int = 4, pause: float = 0.03) -> Log:
    """Play the plan, `speed` times as fast as it is written; return what was seen."""
    policy = POLICY
    for seconds in (1, 8):
        policy = policy.replace(f": {seconds}s", f": {seconds / speed * 1000:.0f}ms")
    with serving(zone for zone in ZONES for _ in range(3)) as servers:
        log = Log(speed)
        engine = Engine.load(
            policy,
            locality=ZONES["a"],
            endpoints={"shop": [(one.address, ZONES[one.zone]) for one in servers]},
            listeners=(log.hear,),
        )
        stop = threading.Event()
        with httpx2.Client(transport=TrafficTransport(engine), timeout=0.4) as client:
            log.begun = time.monotonic()
            threads = [
                threading.Thread(target=call, args=(client, log, stop, pause / speed))
                for _ in range(callers)
            ]
            for thread in threads:
                thread.start()
            for at, note, act in steps(servers):
                time.sleep(max(0, at - log.now()) / speed)
                log.note(note)
                act()
            time.sleep(max(0, LENGTH - log.now()) / speed)
            stop.set()
            for thread in threads:
                thread.join()
    return log


def steps(servers: Iterable[Server]) -> list[tuple[float, str, Any]]:
    """Return what is done when, and how the table says it."""
    found: list[tuple[float, str, Any]] = []
    for zone, how, start, end in PLAN:
        here = [server for server in servers if server.zone == zone]

        def fail(here: list[Server] = here, how: str = how) -> None:
            for server in here:
                server.fail(how)

        def recover(here: list[Server] = here) -> None:
            for server in here:
                server.recover()

        words = {"killed": "is killed", "hangs": "hangs", "late": "answers late"}[how]
        found += [(start, f"zone {zone} {words}", fail), (end, f"zone {zone} is well", recover)]
    return sorted(found, key=lambda step: step[0])


def draw(log: Log, file: Path) -> None:
    """Draw answers by zone, and errors, second by second."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "rolling"
    seconds = range(LENGTH)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axis = figure.subplots()
    below = [0] * len(seconds)
    colours = ("#4477aa", "#66ccee", "#bbbbbb", "#cc3311")
    for name, colour in zip((*ZONES, "error"), colours, strict=True):
        seen = [log.seconds.get(at, Counter())[name] for at in seconds]
        label = "errors" if name == "error" else f"zone {name}"
        axis.bar(seconds, seen, width=1, bottom=below, align="edge", color=colour, label=label)
        below = [one + more for one, more in zip(below, seen, strict=True)]
    notes = [(at, note) for at, several in sorted(log.notes.items()) for note in several]
    for number, (at, note) in enumerate(notes):
        axis.annotate(
            note, (at, 0.98 - 0.06 * (number % 2)), xycoords=("data", "axes fraction"),
            xytext=(3, 0), textcoords="offset points", va="top", fontsize=7,
        )  # fmt: skip
        axis.axvline(at, color="#777777", linewidth=0.8, linestyle=":")
    axis.set(xlabel="seconds", ylabel="calls a second", xlim=(0, len(seconds)))
    axis.set_ylim(0, 1.25 * max(below))
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    undated = {"Date": None} if file.suffix == ".svg" else None
    figure.savefig(file, dpi=120, metadata=undated)


def main() -> None:
    parser = argparse.ArgumentParser(description="A rolling failure of three zones.")
    parser.add_argument("--picture", type=Path, help="draw it into this file as well")
    parser.add_argument("--speed", type=float, default=1, help="play it so many times as fast")
    given = parser.parse_args()
    log = run(given.speed)
    print("\n".join(log.table()))
    if given.picture is not None:
        draw(log, given.picture)


if __name__ == "__main__":
    main()
