"""From a source to a `Policy`, or to every fault in it at once."""

from collections.abc import Iterable

import attrs

from trafficcore.errors import ManifestError
from trafficcore.manifest.declared import Declared
from trafficcore.manifest.documents import Reading
from trafficcore.manifest.parse import documents
from trafficcore.manifest.places import Places
from trafficcore.manifest.problems import ERROR, Ledger, Problem, grouped
from trafficcore.manifest.silence import Silences
from trafficcore.manifest.sources import Source, Sources
from trafficcore.spec import Policy

__all__ = ["Report", "check", "load"]


@attrs.frozen(kw_only=True)
class Report:
    """What `check` found: all problems, errors first, and the policy if there is no error.

    `silenced` are the warnings and notices that the manifests ask not to be told. `declared` and
    `places` are what a judgement across the documents looks at.
    """

    problems: tuple[Problem, ...]
    policy: Policy | None
    silenced: tuple[Problem, ...] = ()
    declared: Declared = attrs.field(factory=Declared, repr=False)
    places: Places = attrs.field(factory=Places, repr=False, eq=False)
    silences: Silences = attrs.field(factory=Silences, repr=False, eq=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the set from loading."""
        return tuple(problem for problem in self.problems if problem.severity == ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What loads and is surely wrong, does less than it says, or was left out."""
        return tuple(problem for problem in self.problems if problem.severity != ERROR)

    @property
    def notices(self) -> tuple[str, ...]:
        """The warnings as lines for a person, grouped by field and message."""
        return tuple(problem.remark for problem in grouped(self.warnings))

    def __bool__(self) -> bool:
        return self.policy is not None

    def with_remarks(self, found: Iterable[Problem]) -> "Report":
        """Return the report with more warnings and notices, but for those that are silenced."""
        told, silenced = _told(found, self.silences)
        return attrs.evolve(
            self,
            problems=(*self.problems, *told),
            silenced=(*self.silenced, *silenced),
        )


def check(source: Source) -> Report:
    """Read manifests and report; nothing that is wrong with them raises.

    `source` is a file, a folder, YAML text, or a list of any of these.
    """
    ledger = Ledger()
    reading = Reading()
    for text, notes in Sources(ledger).texts(source):
        reading.silences.comments(text, notes)
        for node in documents(text, notes):
            reading.read(node, notes)
    order: dict[str, int] = {}
    for problem in ledger.errors:
        order.setdefault(problem.file, len(order))
    errors = sorted(ledger.errors, key=lambda it: (order[it.file], it.line, it.column))
    remarks, silenced = _told(ledger.remarks, reading.silences)
    notices = tuple(problem.remark for problem in grouped(remarks))
    return Report(
        problems=(*errors, *remarks),
        policy=None if errors else reading.policy(notices),
        silenced=tuple(silenced),
        declared=reading.declared,
        places=reading.places,
        silences=reading.silences,
    )


def _told(found: Iterable[Problem], silences: Silences) -> tuple[list[Problem], list[Problem]]:
    """Part what is told from what is silenced."""
    told: list[Problem] = []
    silenced: list[Problem] = []
    for problem in found:
        (silenced if silences.covers(problem) else told).append(problem)
    return told, silenced


def load(source: Source) -> Policy:
    """Read manifests into a policy; raise `ManifestError` with every fault of every document."""
    report = check(source)
    if report.policy is None:
        raise ManifestError(report.errors)
    return report.policy
