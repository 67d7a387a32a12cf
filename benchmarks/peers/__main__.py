"""`python -m benchmarks.peers`: the same work by each rival; prints a table, writes `peers.json`.

Each figure is measured in a process of its own, beside the floor. A rival that is not installed
(`pip install -e '.[peers]'`), or that fails, is left out with the reason.
"""

from pathlib import Path
from typing import Final

from benchmarks.peers import rows
from benchmarks.peers.compare import compare

FILE: Final = Path(__file__).parent.parent / "peers.json"
PEERS: Final = (
    "ours", "token_bucket", "grelmicro", "nopanic", "limits", "throttled", "pyrate_limiter",
    "floodgate", "rust_py_rate_limit", "asgi_ratelimit", "slowapi", "slowapi_default",
    "fastapi_limiter", "flask_limiter", "django_ratelimit", "priomesh", "asyncio_queue",
)  # fmt: skip

if __name__ == "__main__":
    compare(rows, PEERS, FILE, __doc__)
