"""Rules as the router asks for them: which hosts, which paths, and what else they look at."""

from collections.abc import Callable, Sequence

from trafficcore.engine.facts import Facts
from trafficcore.engine.identity import Identity
from trafficcore.engine.match import Predicate, compile_header, compile_request, on_path
from trafficcore.engine.route import Choice, Claimed
from trafficcore.engine.selectors import selector_test, selects
from trafficcore.engine.stages import BreakStage, LimitStage
from trafficcore.spec import HeaderMatch, QuotaSelector, RequestMatch, Scope

__all__ = ["BreakEntry", "LimitEntry", "QuotaEntry"]


class _Scoped:
    """What limits and breakers share: a virtual host or services, and headers of its route."""

    def __init__(
        self,
        identity: Identity,
        scope: Scope,
        known: frozenset[str],
        route: Predicate | None = None,
    ) -> None:
        self._identity = identity
        self._scope = scope
        self._known = known
        self._route = route
        headers = scope.vhost.headers if scope.vhost is not None else ()
        self._headers: list[tuple[HeaderMatch, Predicate]] = [
            (rule, compile_header(rule)) for rule in headers
        ]
        self.looks_at_path = any(rule.name == ":path" for rule in headers)

    def about_host(self, host: str) -> bool:
        """Whether the rule may be about requests to this bare, lower-case host."""
        return self._identity.covers(self._scope, host, self._known)

    def _conditions(self, path: str) -> list[Predicate] | None:
        """Return what is left to ask of a request to this path; None: it cannot match."""
        left: list[Predicate] = [] if self._route is None else [self._route]
        for rule, predicate in self._headers:
            answer = on_path(rule, path)
            if answer is None:
                left.append(predicate)
            elif not answer:
                return None
        return left


def _all(conditions: Sequence[Predicate]) -> Predicate:
    if len(conditions) == 1:
        return conditions[0]
    return lambda facts: all(condition(facts) for condition in conditions)


class LimitEntry(_Scoped):
    """A limit and its overrides; of those that match a request the first replaces the limit."""

    def __init__(
        self,
        identity: Identity,
        scope: Scope,
        known: frozenset[str],
        stage: LimitStage,
        overrides: Sequence[tuple[RequestMatch, LimitStage]],
        route: Predicate | None = None,
    ) -> None:
        super().__init__(identity, scope, known, route)
        self._stages = (None, *(own for _, own in overrides), stage)
        self._overrides = [compile_request(match) for match, _ in overrides]
        # an override may look at `:path`, and then each path is asked for itself
        self.looks_at_path |= any(
            rule.name == ":path" for match, _ in overrides for rule in match.headers
        )

    def resolve(self, host: str, path: str) -> Choice | None:  # noqa: ARG002  # Entry's shape
        """Return what the rule does there; None: nothing."""
        conditions = self._conditions(path)
        if conditions is None:
            return None
        if not conditions and not self._overrides:
            return Choice(self._stages[-1:])
        return Choice(self._stages, self._chooser(conditions))

    def _chooser(self, conditions: Sequence[Predicate]) -> Callable[[Facts], int]:
        holds, overrides, base = _all(conditions), self._overrides, len(self._stages) - 1

        def choose(facts: Facts) -> int:
            if not holds(facts):
                return 0
            for index, override in enumerate(overrides, 1):
                if override(facts):
                    return index
            return base

        return choose


class BreakEntry(_Scoped):
    """A breaker of a virtual host, route or service."""

    def __init__(
        self,
        identity: Identity,
        scope: Scope,
        known: frozenset[str],
        stage: BreakStage,
        route: Predicate | None = None,
    ) -> None:
        super().__init__(identity, scope, known, route)
        self._stages = (None, stage)

    def resolve(self, host: str, path: str) -> Choice | None:  # noqa: ARG002  # Entry's shape
        """Return what the rule does there; None: nothing."""
        conditions = self._conditions(path)
        if conditions is None:
            return None
        return Choice(self._stages, _all(conditions)) if conditions else Choice(self._stages[1:])


class QuotaEntry:
    """A quota, ramp or meter at one place: any of its selectors that fits a request is enough."""

    looks_at_path = False

    def __init__(
        self, identity: Identity, selectors: Sequence[QuotaSelector], stage: Claimed
    ) -> None:
        self._identity = identity
        self._stages = (None, stage)
        self._selectors = [
            (selector, selector_test(selector, stage.note_ambiguous)) for selector in selectors
        ]

    def _tests(self, host: str) -> list[Predicate | None]:
        return [
            test for selector, test in self._selectors if selects(selector, self._identity, host)
        ]

    def about_host(self, host: str) -> bool:
        """Whether the rule may be about requests to this bare, lower-case host."""
        return bool(self._tests(host))

    def resolve(self, host: str, path: str) -> Choice | None:  # noqa: ARG002  # Entry's shape
        """Return what the rule does there; None: nothing."""
        tests = [test for test in self._tests(host) if test is not None]
        if len(tests) < len(self._tests(host)):
            return Choice(self._stages[1:])
        return Choice(self._stages, lambda facts: any(test(facts) for test in tests))
