"""An application whose workers share limits, for servers that real tests start.

Each path has a limit of its own; `/who` has none. Answers name the worker.
"""

import os

from trafficcore import RateLimiter

LIMITS = {
    "/hour": RateLimiter("100/hour", share="host", name="hour"),
    "/killed": RateLimiter("100/hour", share="host", name="killed"),
    "/second": RateLimiter("200/s", capacity=100, share="host", name="second"),
    "/stopped": RateLimiter("200/s", capacity=100, share="host", name="stopped"),
}
#: For the log: nobody says whether this one is meant to count in each worker.
ALONE = RateLimiter("1000000/s", name="alone")


def _status(path):
    limiter = LIMITS.get(path, ALONE)
    return 200 if limiter.try_acquire() else 429


async def app(scope, receive, send):
    head = [(b"x-worker", str(os.getpid()).encode()), (b"content-length", b"0")]
    status = _status(scope["path"])
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body"})


def wsgi(environ, start_response):
    status = _status(environ["PATH_INFO"])
    head = [("x-worker", str(os.getpid())), ("content-length", "0")]
    start_response(f"{status} {'OK' if status == 200 else 'Too Many Requests'}", head)
    return [b""]
