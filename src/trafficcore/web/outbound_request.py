"""A call that goes out, as limits look at requests: the parts of a scope that their keys read."""

from collections.abc import Iterator, Mapping
from typing import Any

from trafficcore.engine import Facts
from trafficcore.web.facts import Labels, asgi_facts

__all__ = ["OutboundRequest", "facts_of"]


class OutboundRequest(Mapping[str, Any]):
    """What is known of a call, by the names that an ASGI scope has; made when somebody looks."""

    __slots__ = ("facts",)

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def __getitem__(self, name: str) -> Any:
        if name == "headers":
            return [
                (key.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                for key, value in self.facts.headers.items()
            ]
        if name == "query_string":
            return self.facts.query.encode("latin-1", "replace")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("headers", "query_string"))

    def __len__(self) -> int:
        return 2


def facts_of(request: Mapping[str, Any], labels: Labels | None) -> Facts:
    """Return the facts of an ASGI scope, or those that a call brings along."""
    if isinstance(request, OutboundRequest):
        return request.facts
    return asgi_facts(request, labels)
