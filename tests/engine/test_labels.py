"""Label matchers, compiled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.engine.labels import compile_matcher, required_labels
from trafficcore.errors import ConfigError
from trafficcore.spec import Expression, LabelMatcher, Requirement, RequirementOp

IN, NOT_IN = RequirementOp.IN, RequirementOp.NOT_IN
EXISTS, MISSING = RequirementOp.EXISTS, RequirementOp.DOES_NOT_EXIST


def requires(key, op, *values):
    return LabelMatcher(requirements=(Requirement(key, op, values),))


def expresses(kind, *of, label="", value=""):
    return LabelMatcher(expression=Expression(kind=kind, of=of, label=label, value=value))


def equals(label, value):
    return Expression(kind="label_equals", label=label, value=value)


@pytest.mark.parametrize(
    ("matcher", "labels", "matches"),
    [
        (LabelMatcher(), {}, True),
        (LabelMatcher(labels=(("a", "1"),)), {"a": "1"}, True),
        (LabelMatcher(labels=(("a", "1"),)), {"a": "12"}, False),
        (LabelMatcher(labels=(("a", "1"), ("b", "2"))), {"a": "1"}, False),
        (LabelMatcher(labels=(("a", "1"), ("b", "2"))), {"a": "1", "b": "2"}, True),
        (requires("a", IN, "x", "y"), {"a": "y"}, True),
        (requires("a", IN, "x", "y"), {"a": "xy"}, False),
        (requires("a", IN, "x"), {}, False),
        (requires("a", IN), {"a": ""}, False),
        (requires("a", NOT_IN, "x"), {"a": "x"}, False),
        (requires("a", NOT_IN, "x"), {"a": "z"}, True),
        (requires("a", NOT_IN, "x"), {}, True),
        (requires("a", EXISTS, "ignored"), {"a": ""}, True),
        (requires("a", EXISTS), {}, False),
        (requires("a", MISSING, "ignored"), {}, True),
        (requires("a", MISSING), {"a": ""}, False),
        (expresses("all"), {}, True),
        (expresses("any"), {}, False),
        (expresses("all", equals("a", "1"), equals("b", "2")), {"a": "1"}, False),
        (expresses("any", equals("a", "1"), equals("b", "2")), {"b": "2"}, True),
        (expresses("not", equals("a", "1")), {}, True),
        (expresses("not", Expression(kind="not", of=(equals("a", "1"),))), {"a": "1"}, True),
        (expresses("label_exists", label="a"), {"a": ""}, True),
        (expresses("label_equals", label="a", value=""), {"a": ""}, True),
        (expresses("label_equals", label="a", value=""), {}, False),
        (expresses("label_matches", label="a", value="b"), {"a": "abc"}, True),
        (expresses("label_matches", label="a", value="^b"), {"a": "abc"}, False),
        (expresses("label_matches", label="a", value=""), {}, False),
        (expresses("label_matches", label="a", value="(?!x)y$"), {"a": "xy"}, True),
    ],
)
def test_it_matches(matcher, labels, matches):
    assert compile_matcher(matcher)(labels) is matches


def test_a_newline_at_the_end_makes_another_value():
    assert not compile_matcher(requires("a", IN, "x"))({"a": "x\n"})
    assert not compile_matcher(LabelMatcher(labels=(("a", "x"),)))({"a": "x\n"})


def test_the_parts_of_a_matcher_are_anded():
    matcher = LabelMatcher(
        labels=(("a", "1"),),
        requirements=(Requirement("b", EXISTS),),
        expression=equals("c", "3"),
    )
    test = compile_matcher(matcher)
    full = {"a": "1", "b": "", "c": "3"}
    assert test(full)
    for left_out in full:
        assert not test({key: value for key, value in full.items() if key != left_out})
    assert required_labels(matcher) == {"a", "b", "c"}


def test_labels_are_found_at_any_depth():
    deep = Expression(kind="not", of=(Expression(kind="any", of=(equals("a", "1"),)),))
    matcher = LabelMatcher(expression=Expression(kind="all", of=(deep, equals("b", ""))))
    assert required_labels(matcher) == {"a", "b"}
    assert required_labels(LabelMatcher()) == frozenset()


NAMES = st.sampled_from("abc")
LEAVES = st.one_of(
    st.builds(lambda n: Expression(kind="label_exists", label=n), NAMES),
    st.builds(equals, NAMES, NAMES),
    st.builds(lambda n, v: Expression(kind="label_matches", label=n, value=v), NAMES, NAMES),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda e: Expression(kind="not", of=(e,)), inner),
        st.builds(
            lambda kind, of: Expression(kind=kind, of=tuple(of)),
            st.sampled_from(["all", "any"]),
            st.lists(inner, max_size=3),
        ),
    ),
)


@given(TREES, st.dictionaries(NAMES, NAMES))
def test_only_the_required_labels_count(tree, labels):
    matcher = LabelMatcher(expression=tree)
    needed = required_labels(matcher)
    test = compile_matcher(matcher)
    assert test(labels) is test({key: value for key, value in labels.items() if key in needed})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (Expression(kind="label_matches", label="a", value="("), "'\\('"),
        (Expression(kind="not"), "one expression"),
        (Expression(kind="maybe"), "not 'maybe'"),
    ],
)
def test_what_cannot_be_compiled_is_a_config_error(expression, message):
    with pytest.raises(ConfigError, match=message):
        compile_matcher(LabelMatcher(expression=expression))
