"""django-ratelimit over Django's memory cache; it tells nothing of what is left."""

from typing import Any

from benchmarks.peers import apps

DISTRIBUTION = "django-ratelimit"
LAW = "fixed window"


def wsgi(limit: int) -> tuple[Any, Any]:
    bare = apps.django()
    from django_ratelimit.decorators import ratelimit

    decorate = ratelimit(key="header:x-api-key", rate=f"{limit}/h")
    return bare, apps.django(decorate)
