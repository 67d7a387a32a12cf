"""From a source to a `Policy`, or to every fault in it at once."""

import attrs

from trafficcore.errors import ManifestError
from trafficcore.manifest.documents import Reading
from trafficcore.manifest.parse import documents
from trafficcore.manifest.problems import ERROR, Ledger, Problem
from trafficcore.manifest.sources import Source, Sources
from trafficcore.spec import Policy

__all__ = ["Report", "check", "load"]


@attrs.frozen(kw_only=True)
class Report:
    """What `check` found: all problems, errors first, and the policy if there is no error."""

    problems: tuple[Problem, ...]
    policy: Policy | None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the set from loading."""
        return tuple(problem for problem in self.problems if problem.severity == ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What loads and does less than it says, or was left out; grouped."""
        return tuple(problem for problem in self.problems if problem.severity != ERROR)

    @property
    def notices(self) -> tuple[str, ...]:
        """The warnings as lines for a person."""
        return tuple(problem.remark for problem in self.warnings)

    def __bool__(self) -> bool:
        return self.policy is not None


def check(source: Source) -> Report:
    """Read manifests and report; nothing that is wrong with them raises.

    `source` is a file, a folder, YAML text, or a list of any of these.
    """
    ledger = Ledger()
    reading = Reading()
    for text, notes in Sources(ledger).texts(source):
        for node in documents(text, notes):
            reading.read(node, notes)
    order: dict[str, int] = {}
    for problem in ledger.errors:
        order.setdefault(problem.file, len(order))
    errors = sorted(ledger.errors, key=lambda it: (order[it.file], it.line, it.column))
    problems = (*errors, *ledger.remarks)
    notices = tuple(problem.remark for problem in ledger.remarks)
    return Report(problems=problems, policy=None if errors else reading.policy(notices))


def load(source: Source) -> Policy:
    """Read manifests into a policy; raise `ManifestError` with every fault of every document."""
    report = check(source)
    if report.policy is None:
        raise ManifestError(report.errors)
    return report.policy
