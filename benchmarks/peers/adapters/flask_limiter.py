"""Flask-Limiter, with its headers."""

from typing import Any

from flask import request
from flask_limiter import Limiter

from benchmarks.peers import apps

DISTRIBUTION = "flask-limiter"
LAW = "fixed window"


def wsgi(limit: int) -> tuple[Any, Any]:
    limited = apps.flask()
    Limiter(
        lambda: request.headers["x-api-key"],
        app=limited,
        default_limits=[f"{limit}/hour"],
        headers_enabled=True,
        storage_uri="memory://",
    )
    return apps.flask(), limited
