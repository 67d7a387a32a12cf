"""Scenarios as tests: run, judged, and the timeline in the message where something fails."""

from collections.abc import Sequence
from typing import Any

from trafficcore.errors import ConfigError
from trafficcore.manifest.sources import Source
from trafficcore.sim import Prepared, Result, prepare, simulate
from trafficcore.sim.report import report

__all__ = ["check_scenario", "check_scenarios", "expect"]


def check_scenario(source: Source) -> Result:
    """Run the one scenario of a file or text and hold it to what it expects; return its result.

    Raises `AssertionError` with the verdicts and the timeline, `ManifestError` for faults.
    """
    __tracebackhide__ = True
    prepared = prepare(source)
    if len(prepared) != 1:
        raise ConfigError(f"one scenario was expected, not {len(prepared)}")
    return _check(prepared[0])


def check_scenarios(source: Source) -> dict[str, Result]:
    """Do what `check_scenario` does with every scenario of a folder; return the results by name.

    Of several with one name, the later ones have their file added: `name (file)`.
    """
    __tracebackhide__ = True
    prepared = prepare(source)
    if not prepared:
        raise ConfigError("no scenario found: a scenario is a document of kind Scenario")
    results: dict[str, Result] = {}
    for one in prepared:
        name = one.scenario.name
        results[name if name not in results else f"{name} ({one.scenario.file})"] = _check(one)
    return results


def expect(result: Result, *sentences: str) -> None:
    """Hold a run to more than its file expects.

    The scenario is run again, on the same seed, to see what these sentences are about. Raises
    `AssertionError` with the timeline, `ConfigError` for a sentence that cannot be read.
    """
    import attrs

    __tracebackhide__ = True
    if not sentences:
        raise ConfigError("expect takes at least one sentence")
    scenario = attrs.evolve(result.scenario, expect=sentences)
    _judge(simulate(scenario, result.policy))


def _check(prepared: Prepared) -> Result:
    __tracebackhide__ = True
    if not prepared.scenario.expect:
        raise ConfigError(f"the scenario {prepared.scenario.name!r} expects nothing")
    return _judge(simulate(prepared.scenario, prepared.policy))


def _judge(result: Result) -> Result:
    __tracebackhide__ = True
    failed: Sequence[Any] = [verdict for verdict in result.verdicts if not verdict.holds]
    if failed:
        count = f"{len(failed)} of {len(result.verdicts)} expectations fail"
        lines = [f"{result.scenario.name}: {count}"]
        lines += [f"  {verdict}" for verdict in failed]
        raise AssertionError("\n".join([*lines, "", *report(result)]))
    return result
