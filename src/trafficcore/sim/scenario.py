"""Scenario files to `Scenario`s: the same reader, the same faults as manifests.

A scenario's policies are the files its `manifests` names, beside it, and the other documents of
its own file. One that could not end is refused.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import attrs

from trafficcore.errors import ManifestError
from trafficcore.manifest.fields import Record, nearest
from trafficcore.manifest.load import check
from trafficcore.manifest.nodes import Mapping, Node, Scalar
from trafficcore.manifest.parse import documents
from trafficcore.manifest.problems import Ledger, Notes, Problem, short
from trafficcore.manifest.sources import Source, Sources
from trafficcore.sim.build import build_load, build_process, build_services, default_service
from trafficcore.sim.endless import tell_endless
from trafficcore.sim.expect import parse
from trafficcore.sim.fields import TOP
from trafficcore.sim.names import amiss
from trafficcore.sim.spec import Load, Scenario, Service
from trafficcore.spec import Policy

__all__ = ["Prepared", "is_scenario", "prepare"]


@attrs.frozen(kw_only=True)
class Prepared:
    """A scenario and the policies it is run under."""

    scenario: Scenario
    policy: Policy


def is_scenario(node: Node) -> bool:
    """Whether a document is a scenario."""
    return isinstance(node, Mapping) and any(
        key.text == "kind" and isinstance(value, Scalar) and value.text == "Scenario"
        for key, value in node.entries
    )


def prepare(source: Source) -> list[Prepared]:
    """Read the scenarios of a file, folder or text, in their order, with their policies.

    Raises `ManifestError` with every fault of scenarios and manifests. Documents of other kinds
    are left to the scenarios that name them.
    """
    ledger = Ledger()
    found: list[tuple[Scenario, list[Source]]] = []
    for text, notes in Sources(ledger).texts(source):
        nodes = list(documents(text, notes))
        others = any(not is_scenario(node) for node in nodes)
        for number, node in enumerate(filter(is_scenario, nodes)):
            scenario = _read(node, notes, number)
            if scenario is not None:
                own = [_again(notes.file, text)] if others else []
                found.append((scenario, [*own, *_beside(notes.file, scenario.manifests)]))
    files = list(dict.fromkeys(fault.file for fault in ledger.errors))
    faults = sorted(ledger.errors, key=lambda it: (files.index(it.file), it.line, it.column))
    prepared = []
    for scenario, sources in found:
        policy = _policy(sources, faults)
        if policy is not None:
            prepared.append(Prepared(scenario=scenario, policy=policy))
    if faults:
        raise ManifestError(faults)
    return prepared


def _again(file: str, text: str) -> Source:
    return Path(file) if os.path.exists(file) else text  # noqa: PTH110 - a text has no file


def _beside(file: str, names: Iterable[str]) -> list[Source]:
    return [Path(file).parent / name for name in names]


def _policy(sources: list[Source], faults: list[Problem]) -> Policy | None:
    if not sources:
        return Policy()
    flat: list[str | os.PathLike[str]] = [
        source for source in sources if isinstance(source, (str, os.PathLike))
    ]
    report = check(flat)
    faults += [fault for fault in report.errors if fault not in faults]
    return report.policy


def _read(node: Node, notes: Notes, number: int) -> Scenario | None:
    before = notes.errors
    record = TOP.read(node, "", notes)
    if not isinstance(record, Record) or notes.errors > before:
        return None
    spec = record.values["spec"]
    metadata = record.sub("metadata")
    stem = Path(notes.file).name.partition(".")[0] or "scenario"
    name = metadata.values["name"] if metadata else stem + (f"-{number + 1}" if number else "")
    services = build_services(spec, notes)
    loads = _loads(spec, services, notes)
    services = (*services, *_implied(loads, services))
    scenario = Scenario(
        name=name,
        file=notes.file,
        seed=spec.get("seed", 1),
        duration=float(spec.get("duration", 60)),
        drain=float(spec.get("drain", 60)),
        manifests=spec.get("manifests", ()),
        process=build_process(spec.sub("process")),
        services=services,
        loads=loads,
        expect=spec.get("expect", ()),
    )
    _tell_expectations(spec, scenario, notes)
    _tell_late(spec, scenario, notes)
    tell_endless(spec, scenario, notes)
    return scenario if notes.errors == before else None


def _loads(spec: Record, services: tuple[Service, ...], notes: Notes) -> tuple[Load, ...]:
    loads = []
    seen: set[str] = set()
    for item in spec.get("loads", ()):
        load = build_load(item, notes)
        if load.name in seen:
            message = f"the load {short(load.name)} is there twice"
            notes.error(item.at("name"), item.to("name"), message, load.name)
        seen.add(load.name)
        known = list(dict.fromkeys(service.name for service in services))
        if known and load.service not in known:
            meant = nearest(load.service, known)
            hint = f"; did you mean {meant!r}?" if meant else f": there is {', '.join(known)}"
            field = "service" if item.has("service") else "url"
            message = f"calls {short(load.service)}, which no service is{hint}"
            notes.error(item.at(field), item.to(field), message, load.service)
        loads.append(load)
    return tuple(loads)


def _tell_late(spec: Record, scenario: Scenario, notes: Notes) -> None:
    for item, load in zip(spec.get("loads", ()), scenario.loads, strict=True):
        if load.start >= scenario.duration:
            message = f"must be before the end, {scenario.duration:g} s: no call would be made"
            notes.error(item.at("start"), item.to("start"), message, item.text("start"))


def _implied(loads: tuple[Load, ...], services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Where no service is written, each host has one server that answers after a millisecond."""
    if services:
        return ()
    names = dict.fromkeys(load.service for load in loads)
    return tuple(default_service(name) for name in names)


def _tell_expectations(spec: Record, scenario: Scenario, notes: Notes) -> None:
    node = spec.at("expect")
    items = getattr(node, "items", [])
    for at, text in enumerate(scenario.expect):
        for message in amiss(parse(text), scenario):
            notes.error(items[at], f"{spec.to('expect')}[{at}]", message, text)
