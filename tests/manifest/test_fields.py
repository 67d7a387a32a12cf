"""The language of the tables, where no table of today uses it."""

import attrs
import pytest

from manifest.helpers import limit, the_fault
from trafficcore import manifest
from trafficcore.errors import ConfigError
from trafficcore.manifest import documents, parse
from trafficcore.manifest.fields import Effect, Field, Object, join, nearest
from trafficcore.manifest.problems import Ledger, Notes, Problem
from trafficcore.manifest.shapes import STRINGS, ListOf
from trafficcore.manifest.types import INT32, TEXT, Number


def read(table, text):
    ledger = Ledger()
    notes = Notes("f", ledger)
    (node,) = parse.documents(text, notes)
    record = table.read(node, "", notes)
    return record, [
        f"{it.severity} {it.path}: {it.message}" for it in (*ledger.errors, *ledger.remarks)
    ]


def test_a_refused_field_is_a_fault_with_its_reason():
    table = Object(
        (
            Field("a", TEXT, effect=Effect.REFUSED),
            Field("b", TEXT, effect=Effect.REFUSED, note="no"),
        )
    )
    assert read(table, "{a: x, b: y}")[1] == ["error a: is not accepted", "error b: no"]


def test_an_ignored_field_is_read_in_silence():
    record, told = read(Object((Field("a", TEXT, effect=Effect.IGNORED),)), "a: true")
    assert told == []
    assert record.get("a") == "true"


def test_a_faulty_field_is_there_and_has_no_value():
    record, told = read(Object((Field("a", INT32), Field("b", INT32))), "{a: x, b: 1}")
    assert told == ["error a: must be a whole number, not 'x'"]
    assert (record.has("a"), record.faulty("a"), record.get("a")) == (True, True, None)
    assert (record.has("b"), record.faulty("b"), record.get("b")) == (True, False, 1)
    assert (record.has("c"), record.faulty("c"), record.lacks("c")) == (False, False, True)
    assert record.text("b") == "1"


def test_maps_and_lists_must_be_what_they_are():
    assert read(Object((Field("a", STRINGS),)), "a: [x]")[1] == [
        "error a: must be a mapping, not a list"
    ]
    assert read(Object((Field("a", ListOf(TEXT)),)), "a: {x: y}")[1] == [
        "error a: must be a list, not a mapping"
    ]


def test_a_list_leaves_out_its_faulty_items():
    record, told = read(Object((Field("a", ListOf(INT32, most=3)),)), "a: [1, x, 3]")
    assert record.get("a") == (1, 3)
    assert told == ["error a[1]: must be a whole number, not 'x'"]


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        (ListOf(TEXT), ""),
        (ListOf(TEXT, least=1), "at least 1 item"),
        (ListOf(TEXT, most=9), "at most 9 items"),
        (INT32, ""),
        (Number(above=0, most=1), "above 0 and up to 1"),
        (Number(least=0, most=1), "from 0 to 1"),
        (Number(), ""),
    ],
)
def test_types_say_their_bounds(kind, bounds):
    assert kind.bounds == bounds


@pytest.mark.parametrize(
    ("path", "name", "joined"),
    [
        ("", "spec", "spec"),
        ("spec", "a-b_9", "spec.a-b_9"),
        ("spec", "a.b", "spec['a.b']"),
        ("spec", "", "spec['']"),
        ("spec", "é", "spec['é']"),
        ("spec", "a\n", "spec['a\\n']"),
        ("spec", "x" * 61, f"spec['{'x' * 60}'…]"),
    ],
)
def test_paths(path, name, joined):
    assert join(path, name) == joined


def test_the_nearest_name_is_found_across_spellings():
    names = ["workloadSelector", "window_size", "x"]
    assert nearest("workload_selector", names) == "workloadSelector"
    assert nearest("WindowSize", names) == "window_size"
    assert nearest("windowsise", names) == "window_size"
    assert nearest("quota", names) == ""


def test_a_problem_without_a_line_names_its_file_alone():
    problem = Problem(code="TC001", file="a.yaml", message="cannot be read")
    assert str(problem) == "a.yaml: cannot be read"
    assert problem.remark == "cannot be read (a.yaml)"
    assert attrs.evolve(problem, count=2).remark == "cannot be read (2 times, first a.yaml)"


def test_what_the_spec_refuses_is_a_problem_of_the_manifest(monkeypatch):
    def build(spec, document, notes):
        raise ConfigError("interval must be above 0 s, not 0")

    kind = attrs.evolve(documents.KINDS["ASMLocalRateLimiter"], build=build)
    monkeypatch.setitem(documents.KINDS, "ASMLocalRateLimiter", kind)
    text = limit("{fill_interval: 1s, quota: 5}")
    assert the_fault(text) == "spec: interval must be above 0 s, not 0"
    assert manifest.check(text).errors[0].line == 7
