"""`python -m benchmarks.breakers`: the same calls behind each rival's breaker; `breakers.json`.

Each figure is measured in a process of its own, beside the floor. A rival that is not installed
(`pip install -e '.[peers]'`), or that fails, is left out with the reason.
"""

from pathlib import Path
from typing import Final

from benchmarks.breakers import rows
from benchmarks.peers.compare import compare

FILE: Final = Path(__file__).parent.parent / "breakers.json"
PEERS: Final = (
    "ours", "ours_consecutive", "nopanic", "interlock", "circuitbreaker", "pybreaker",
)  # fmt: skip

if __name__ == "__main__":
    compare(rows, PEERS, FILE, __doc__)
