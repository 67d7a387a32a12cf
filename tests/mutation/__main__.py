"""`make mutants`: how many small wrongs in `core/breaker` its tests find.

The tests are collected once, and run once to see which of them enter which function. Each mutant is
a fork in which the code of one function is exchanged; those tests run, the quick ones first, to the
first failure. What is a module's own (constants, defaults) is changed before the import, and the
tests are collected anew. A mutant in which tests run too long is found. Stress tests and those that
draw at random take no part: what needs luck to be found is not counted as found.
"""

import argparse
import os
import signal
import sys
import time
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.util import spec_from_loader
from pathlib import Path

import pytest

from mutation.mutants import apply, find

ROOT = Path(__file__).parents[2]
BREAKER = ROOT / "src" / "trafficcore" / "core" / "breaker"
#: Those that end soon stand first.
TESTS = [
    *("core/breaker/test_moves.py", "core/breaker/test_breaker.py", "core/breaker/test_window.py"),
    *("core/breaker/test_settings.py", "core/breaker/test_presets.py", "conformance"),
    *("core/breaker/test_flights.py", "core/breaker/test_keyed.py", "core/breaker/test_rules.py"),
    *("core/breaker/test_exactness.py", "core/breaker/test_cost.py"),
    "core/breaker/test_against_model.py",
]
#: Seconds after which tests are taken to run for ever.
PATIENCE = 120
FOUND, SURVIVED = 1, 0


class Mutant:
    """One site of one file."""

    def __init__(self, path, site):
        self.path = path
        self.site = site
        self.found = False

    @property
    def module(self):
        return f"trafficcore.core.breaker.{self.path.stem}"

    def __str__(self):
        site = self.site
        return f"{self.path.stem}.py:{site.line}: {site.before}  →  {site.after}"

    def compiled(self):
        source = self.path.read_text("utf-8")
        return compile(apply(source, self.site.number), str(self.path), "exec")

    def exchange(self):
        """Put the changed code in the place of the function's; False: there is no such function."""
        function = vars(sys.modules[self.module])
        for name in self.site.function.split("."):
            function = function.get(name) if isinstance(function, dict) else vars(function)[name]
        function = getattr(function, "fget", None) or getattr(function, "__func__", function)
        code = _code(self.compiled(), self.site.function)
        if not isinstance(function, types.FunctionType) or code is None:
            return False
        function.__code__ = code
        return True


def _code(code, name):
    """Return the code of a function by its qualified name."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            if inner.co_qualname == name:
                return inner
            if name.startswith(f"{inner.co_qualname}."):
                return _code(inner, name)
    return None


class Imported(MetaPathFinder, Loader):
    """Imports one module as a mutant has it."""

    def __init__(self, mutant):
        self.mutant = mutant

    def find_spec(self, name, path=None, target=None):
        if name != self.mutant.module:
            return None
        return spec_from_loader(name, self, origin=str(self.mutant.path))

    def exec_module(self, module):
        exec(self.mutant.compiled(), module.__dict__)


class Forks:
    """Runs each mutant in a child, so many at once, and notes what became of it."""

    def __init__(self, workers):
        self._workers = workers
        self._running = {}

    def run(self, mutant, child):
        """Start `child(mutant)`, which returns FOUND or SURVIVED. None: nothing is changed."""
        while len(self._running) >= self._workers:
            self.reap()
        pid = os.fork()
        if pid:
            self._running[pid] = mutant
            return
        signal.alarm(PATIENCE)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            code = child(mutant)
        except BaseException:
            code = FOUND
        os._exit(code)

    def reap(self):
        """Wait for one child."""
        pid, status = os.wait()
        mutant = self._running.pop(pid)
        found = os.WIFSIGNALED(status) or os.WEXITSTATUS(status) != SURVIVED
        if mutant is None and found:
            sys.exit("the tests fail as it is")
        if mutant is not None:
            mutant.found = found
            if not found:
                print(f"survives  {mutant}", flush=True)

    def finish(self):
        while self._running:
            self.reap()


class Settled:
    """A plugin of pytest: properties look at the same examples each time."""

    def pytest_configure(self, config):
        from hypothesis import settings  # not before pytest has rewritten its assertions

        profile = settings.get_profile("default")
        settings.register_profile("mutation", profile, database=None, derandomize=True)
        settings.load_profile("mutation")


class Collected(Settled):
    """The same, and in the place of the tests' own run one of them for each mutant."""

    def __init__(self, forks, mutants):
        self._forks = forks
        self._mutants = mutants

    def pytest_runtestloop(self, session):
        # It would tell of every failure.
        session.config.pluginmanager.unregister(name="terminalreporter")
        entered = _entered(session)
        for mutant in self._mutants:
            items = entered.get((str(mutant.path), mutant.site.function), [])
            self._forks.run(mutant, lambda mutant, items=items: _exchange_and_run(mutant, items))
        self._forks.finish()
        return True


def _entered(session):
    """Run the tests; return by file and function those that enter it, the quick ones first."""
    entered, ours = {}, str(BREAKER)
    for item in session.items:
        seen = set()

        def look(frame, event, argument, seen=seen):
            if event == "call" and frame.f_code.co_filename.startswith(ours):
                seen.add(frame.f_code)

        begun = time.perf_counter()
        sys.setprofile(look)
        _run([item])
        sys.setprofile(None)
        took = time.perf_counter() - begun
        for code in seen:
            outermost = code.co_qualname.partition(".<locals>")[0]
            entered.setdefault((code.co_filename, outermost), []).append((took, item))
    if session.testsfailed:
        sys.exit("the tests fail as it is")
    return {
        where: [item for _, item in sorted(those, key=lambda pair: pair[0])]
        for where, those in entered.items()
    }


def _exchange_and_run(mutant, items):
    if not mutant.exchange():
        raise LookupError(mutant)
    return _run(items)


def _run(items):
    for item in items:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if item.session.testsfailed:
            return FOUND
    return SURVIVED


def _import_and_run(mutant):
    for name in list(sys.modules):
        if name.partition(".")[0] in {"trafficcore", "conformance", "support", "model", "conftest"}:
            del sys.modules[name]
    if mutant is not None:
        sys.meta_path.insert(0, Imported(mutant))
    return FOUND if pytest.main([*_arguments(), "-x"], plugins=[Settled()]) else SURVIVED


def _arguments():
    paths = [str(ROOT / "tests" / name) for name in TESTS]
    own = ["-o", "addopts=-q --import-mode=importlib", "-p", "no:cacheprovider"]
    return [*paths, *own, "-k", "breaker and not every_step", "-m", "not stress"]


def _mutants(name):
    """Return those of a file, or of one line of it."""
    file, _, line = name.partition(":")
    path = BREAKER / file
    sites = find(path.read_text("utf-8"))
    return [Mutant(path, site) for site in sites if not line or site.line == int(line)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="only these of core/breaker, or file.py:line")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    # Plugins that are installed are not needed, and pytest would import ours, unchanged.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    wanted = args.files or sorted(path.name for path in BREAKER.glob("*.py"))
    mutants = [mutant for name in wanted for mutant in _mutants(name)]
    forks = Forks(args.workers)
    own = [mutant for mutant in mutants if mutant.site.function is not None]
    code = pytest.main(_arguments(), plugins=[Collected(forks, own)])
    forks.run(None, _import_and_run)
    for mutant in mutants:
        if mutant.site.function is None:
            forks.run(mutant, _import_and_run)
    forks.finish()
    print(*_table(mutants), sep="\n")
    return int(code)


def _table(mutants):
    yield f"{'file':16} {'mutants':>8} {'found':>8} {'%':>6}"
    for path in sorted({mutant.path for mutant in mutants}):
        yield _row(path.name, [mutant for mutant in mutants if mutant.path == path])
    yield _row("all", mutants)


def _row(name, mutants):
    found = sum(mutant.found for mutant in mutants)
    return f"{name:16} {len(mutants):8} {found:8} {100 * found / len(mutants):6.1f}"


if __name__ == "__main__":
    sys.exit(main())
