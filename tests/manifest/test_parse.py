"""Texts to nodes: places, source text, and what hostile texts end in."""

import time

import pytest
import yaml

from trafficcore.manifest import parse
from trafficcore.manifest.nodes import Mapping, Scalar, Sequence
from trafficcore.manifest.parse import Limits, documents
from trafficcore.manifest.problems import Ledger, Notes

LOADERS = [yaml.SafeLoader] + ([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__, autouse=True)
def loader(request, monkeypatch):
    monkeypatch.setattr(parse, "LOADER", request.param)
    return request.param


def read(text, **limits):
    ledger = Ledger()
    roots = list(documents(text, Notes("f", ledger), Limits(**limits)))
    return roots, [str(problem) for problem in ledger.errors]


def good(text):
    roots, errors = read(text)
    assert errors == []
    return roots


def the_error(text, **limits):
    _, errors = read(text, **limits)
    assert len(errors) == 1, errors
    return errors[0]


def plain(node):
    """Nodes as Python data: texts as they were written."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.entries}


def test_nothing_is_resolved():
    (root,) = good("a: true\nb: 010\nc: 1:30\nd: on\ne: 2024-01-01\nf: 'x'\n")
    assert plain(root) == {
        "a": "true",
        "b": "010",
        "c": "1:30",
        "d": "on",
        "e": "2024-01-01",
        "f": "x",
    }
    assert [value.plain for _, value in root.entries] == [True] * 5 + [False]


def test_every_node_knows_its_place():
    (root,) = good("# top\nspec:\n  é: 'quoted'\n  list:\n  - a\n  - {x: y}\n")
    (spec, inner) = root.entries[0]
    assert (spec.line, spec.column) == (2, 1)
    assert (inner.line, inner.column) == (3, 3)
    (accent, quoted), (_, items) = inner.entries
    assert (accent.text, quoted.line, quoted.column) == ("é", 3, 6)
    assert (items.line, items.column) == (5, 3)
    assert [(item.line, item.column) for item in items.items] == [(5, 5), (6, 5)]


def test_places_count_in_characters_behind_wide_ones_and_windows_line_ends():
    (root,) = good("a: 漢字😀 # c\r\nb: {漢字😀: v}\r\n")
    value = root.entries[1][1].entries[0][1]
    assert (value.line, value.column) == (2, 10)


def test_documents_come_one_by_one_and_empty_ones_are_passed_over():
    assert [plain(root) for root in good("---\n---\na: 1\n---\n# no more\n---\nb\n...\n")] == [
        {"a": "1"}, "b"]  # fmt: skip
    assert good("") == []
    assert good("# only a comment\n") == []
    assert good("null\n") == []


def test_json_is_yaml():
    (root,) = good('{"a": [1, "two", {"b": null}],\n "c": "\\u00e9\\n"}')
    assert plain(root) == {"a": ["1", "two", {"b": "null"}], "c": "é\n"}


def test_json_may_be_indented_by_tabs(loader):
    if loader is yaml.SafeLoader:
        pytest.skip("PyYAML's own parser takes no tab there")
    assert plain(good('{\n\t"a": [\n\t\t1\n\t]\n}')[0]) == {"a": ["1"]}


def test_an_alias_is_the_node_it_names_in_the_same_document():
    (root,) = good("a: &x {k: [1, 2]}\nb: *x\nc: &y text\nd: *y\n")
    assert plain(root) == {"a": {"k": ["1", "2"]}, "b": {"k": ["1", "2"]}, "c": "text", "d": "text"}
    assert the_error("a: &x 1\n---\nb: *x\n") == "f:3:4: the alias *x has no anchor before it"


def test_core_tags_are_read_and_a_text_tag_counts_as_quotes():
    (root,) = good("a: !!str 1\nb: !!int 2\nc: !!map {x: !!seq [y]}\n")
    assert plain(root) == {"a": "1", "b": "2", "c": {"x": ["y"]}}
    assert [value.plain for _, value in root.entries[:2]] == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system ''",
        "a: !!python/object:os.path {}",
        "a: !!binary aGk=",
        "a: !!timestamp 2024-01-01",
        "a: !!set {x}",
        "a: !own 1",
        "a: ! 1",
        "!!map text",
        "!!str {a: b}",
        "%TAG ! tag:example.com,2000:\n---\na: !x 1",
    ],
)
def test_any_other_tag_is_refused(text):
    assert "is not read: a manifest needs none" in the_error(text)


def test_the_faults_of_keys_stay_with_their_mapping():
    (root,) = good("a: 1\nb: 2\na: 3\n<<: {c: 4}\n? [x]\n: 5\n'<<': 6\n")
    assert plain(root) == {"a": "1", "b": "2", "<<": "6"}
    assert [(key.text, key.line, message) for key, message, _ in root.faults] == [
        ("a", 3, "stands here twice, in line 1 and in line 3"),
        ("<<", 4, "merge keys are not read: write the fields out (an alias of a value is fine)"),
        ("?", 5, "a key must be a text, not a list"),
    ]


# -- syntax --------------------------------------------------------------------------------------


def test_a_fault_of_syntax_has_its_place_and_the_next_documents_are_read():
    roots, errors = read("a: 1\n---\nb: [1\nc: 2\n---\nd: 3\n---\ne: }\n---\nf: 4\n")
    assert [plain(root) for root in roots] == [{"a": "1"}, {"d": "3"}, {"f": "4"}]
    assert [error.split(" ")[0] for error in errors] == ["f:4:2:", "f:8:4:"]


def test_a_quote_that_is_never_closed_is_told_where_it_opens():
    roots, errors = read("a: 1\nb:\n  c: 'text\nd: 2\n---\ne: 3\n")
    assert [plain(root) for root in roots] == [{"e": "3"}]
    assert len(errors) == 1
    assert errors[0].startswith("f:3:6: is not YAML: while scanning a quoted scalar: ")
    assert the_error('a: "').startswith("f:1:4: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: b: c", "f:1:5"), ("\ta: 1", "f:1:1"), ("a: 1\n b: 2", "f:2:3"), ("- a\nb: 1", "f:2:1"),
     ("a: @x", "f:1:4"), ("a: &\n", "f:1:5")],
)  # fmt: skip
def test_faults_of_syntax_are_told_where_they_are(text, place):
    assert read(text)[1][0].startswith(place)


def test_a_file_full_of_faults_is_given_up():
    _, errors = read("a: [\n---\n" * 100)
    assert len(errors) == 21
    assert errors[-1].endswith("too many faults; the rest of this file is not read")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: b\nc: \0d\n", r"f:2:4: '\x00' is no character of a YAML text"),
        ("a: \x1b[31m", r"f:1:4: '\x1b' is no character of a YAML text"),
        ("\x7f", r"f:1:1: '\x7f' is no character of a YAML text"),
        ("a: \ud800", r"f:1:4: '\ud800' is no character of a YAML text"),
        ("a:\n\ufffe", r"f:2:1: '\ufffe' is no character of a YAML text"),
    ],
)
def test_characters_that_no_yaml_holds_are_refused(text, error):
    assert the_error(text) == error


@pytest.mark.parametrize("escape", [r"\ud800", r"\UFFFFFFFF", r"\U00110000", r"\q"])
def test_escapes_that_name_no_character_are_refused(escape):
    assert the_error(f'a: "{escape}"').startswith("f:1:")


# -- budgets -------------------------------------------------------------------------------------


def test_depth_is_bounded():
    good("[" * 100 + "]" * 100)
    assert the_error("[" * 101 + "]" * 101) == "f:1:101: nested deeper than 100 levels; not read"
    roots, errors = read("a: " + "{a: " * 200 + "\n---\nb: 1\n")
    assert [plain(root) for root in roots] == [{"b": "1"}]
    assert len(errors) == 1


def test_depth_counts_through_aliases():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 120)]
    assert "nested deeper than 100 levels" in the_error("\n".join(lines))


def test_nodes_are_bounded_over_the_whole_file():
    assert len(read("- a\n---\n" * 10, nodes=20)[0]) == 10
    roots, errors = read("- a\n---\n" * 20, nodes=20)
    assert len(roots) == 10
    assert errors == ["f:21:1: a file may hold 20 nodes; the rest of it is not read"]


def test_aliases_are_bounded_by_what_they_stand_for():
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert the_error(laughs).endswith("aliases stand for more than 100000 nodes; not read")


@pytest.mark.parametrize("text", ["&a [*a]", "a: &x {b: *x}", "&a {? *a : 1}"])
def test_an_alias_inside_what_it_names_is_refused(text):
    assert "stands inside what it names" in the_error(text)


HOSTILE = {
    "flow": "[" * 20_000,
    "flow closed": "[" * 20_000 + "]" * 20_000,
    "flow maps": "{a: " * 20_000,
    "block": "".join(" " * depth + "a:\n" for depth in range(1_000)),
    "block lists": "- " * 20_000,
    "explicit keys": "? " * 20_000,
    "anchors": "&a " * 20_000,
    "tags": "!" * 200_000,
    "quotes": '"' * 200_001,
    "colons": "a:" * 200_000,
    "one long text": "a: " + "x" * 900_000,
    "one long key": '"' + "x" * 900_000 + '": 1',
    "many documents": "--- a\n" * 100_000,
    "many nodes": "[" + "a," * 400_000 + "]",
    "comments": "#\n" * 400_000,
    "directives": "%A\n" * 300_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_end_soon(text, loader):
    nodes = 50_000 if loader is yaml.SafeLoader else 500_000  # as Limits has them
    begun = time.process_time()
    read(text, nodes=nodes)
    assert time.process_time() - begun < 5  # a second at most on an idle machine


def test_twenty_thousand_levels_of_blocks_are_refused_at_the_hundred_and_first():
    text = "".join(" " * depth + "a:\n" for depth in range(400)) + "x" * 10_000
    assert the_error(text) == "f:101:101: nested deeper than 100 levels; not read"


def test_the_nodes_are_plain():
    (root,) = good("a: [b]\n")
    assert isinstance(root, Mapping)
    assert root.faults == []
