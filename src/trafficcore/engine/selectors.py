"""Selectors of quotas at work: which hosts one is about, and what it asks of a request there."""

from collections.abc import Callable

from trafficcore.engine.facts import Facts
from trafficcore.engine.identity import Identity, host_matches, strip_port
from trafficcore.engine.match import Predicate
from trafficcore.engine.schedule import label_test
from trafficcore.spec import LabelMatcher, QuotaSelector, RequestParts

__all__ = ["parts_test", "selector_test", "selects"]


def selects(selector: QuotaSelector, identity: Identity, host: str) -> bool:
    """Whether a selector may be about requests to this bare, lower-case host."""
    wanted = selector.request.host
    if wanted and not host_matches(strip_port(wanted), host):
        return False
    if selector.service in ("", "*") and not selector.port:
        return True
    return identity.takes(selector.service or "*", selector.port, host)


def selector_test(selector: QuotaSelector, ambiguous: Callable[[], None]) -> Predicate | None:
    """Compile what a selector asks of a request to such a host; None: nothing."""
    tests = [] if selector.matcher == LabelMatcher() else [label_test(selector.matcher, ambiguous)]
    parts = parts_test(selector.request)
    if parts is not None:
        tests.append(parts)
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda facts: all(test(facts) for test in tests)


def parts_test(parts: RequestParts) -> Predicate | None:
    """Compile method, scheme, path and headers, which are all to be met; None: there are none."""
    tests: list[Predicate] = []
    if parts.method:
        method = parts.method.upper()
        tests.append(lambda facts: facts.method == method)
    if parts.scheme:
        scheme = parts.scheme.lower()
        tests.append(lambda facts: facts.scheme == scheme)
    if parts.path:
        tests.append(_path_test(parts.path))
    tests += [_header_test(name.lower(), value) for name, value in parts.headers]
    return (lambda facts: all(test(facts) for test in tests)) if tests else None


def _path_test(path: str) -> Predicate:
    if path.endswith("*"):
        beginning = path[:-1]
        return lambda facts: facts.path.startswith(beginning)
    return lambda facts: facts.path == path


def _header_test(name: str, value: str) -> Predicate:
    def test(facts: Facts) -> bool:
        return facts.header(name) == value

    return test
