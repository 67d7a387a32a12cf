"""What is judged: the rules, what is declared beside them, and what the command line knows."""

from collections.abc import Mapping

import attrs

from trafficcore.engine.identity import Identity
from trafficcore.manifest.codes import CODES
from trafficcore.manifest.declared import Declared
from trafficcore.manifest.places import Places
from trafficcore.manifest.problems import Problem
from trafficcore.spec import Policy, Source, full_name

__all__ = ["Case", "HostCounts"]


@attrs.frozen(kw_only=True)
class HostCounts:
    """How many hosts stand behind a service: by its name, short or full, or of every other."""

    others: int | None = None
    named: Mapping[str, int] = attrs.field(factory=dict)

    def of(self, host: str, namespace: str) -> int | None:
        """Return the count that was given for a host by its name."""
        for name, count in self.named.items():
            if full_name(name, namespace) == host:
                return count
        return None


@attrs.frozen(kw_only=True)
class Case:
    """One set of manifests before its judges."""

    policy: Policy
    declared: Declared
    places: Places
    identity: Identity = attrs.field(factory=Identity)
    hosts: HostCounts = attrs.field(factory=HostCounts)

    def tell(self, code: str, source: Source, path: str, message: str, value: str = "") -> Problem:
        """Make a warning or notice about a field of a document; its place is the field's own."""
        node = self.places.find(source, path)
        return Problem(
            code=code,
            file=source.file,
            line=source.line if node is None else node.line,
            column=source.column if node is None else node.column,
            path=path,
            message=message,
            value=value,
            severity=CODES[code].severity,
        )
