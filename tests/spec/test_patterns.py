import contextlib
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.errors import ConfigError
from trafficcore.spec import pattern


@pytest.mark.parametrize(
    ("text", "matches", "others"),
    [
        ("a.c", ["abc"], ["ac", "abcd", "a\nc"]),
        (r"abc\z", ["abc"], ["abc\n"]),
        (r"\Qa.c\E+", ["a.c", "a.ccc"], ["abc"]),
        (r"\Qa.c", ["a.c"], ["abc"]),
        ("[[:alpha:]]+", ["aZ"], ["a1", "é", ":"]),
        ("[[:digit:]_-]+", ["1_-2"], ["a"]),
        ("[^[:space:]]", ["a"], [" ", "\t"]),
        ("[[:punct:]]", ["[", "!", "`"], ["a"]),
        (r"\x{41}\x{2E}", ["A."], ["Ax"]),
        (r"[\x{41}-\x{43}]", ["B"], ["D"]),
        ("(?<tier>gold|silver)", ["gold"], ["tin"]),
        ("(?P<tier>gold)", ["gold"], ["tin"]),
        ("(?i)gold", ["GoLd"], ["tin"]),
        (r"\d{3}", ["123"], ["1234", "١٢٣"]),
        (r"\w+", ["a_1"], ["é"]),
        ("[[a]", ["[", "a"], ["b"]),
        ("[a&&b]", ["&", "a"], ["c"]),
        ("[a||b]", ["|"], ["c"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        (r"[\]\[]", ["[", "]"], ["a"]),
        ("[+--]", ["+", ",", "-"], ["*", "."]),
        ("[--/]", ["-", ".", "/"], [",", "0"]),
        ("[a-c-]", ["a", "b", "c", "-"], ["d"]),
        ("[]-a]", ["]", "^", "a"], ["-"]),
        ("(?=a)abc", ["abc"], ["bbc"]),
        ("(?<!x)abc", ["abc"], []),
        ("", [""], ["a"]),
    ],
)
def test_patterns_mean_what_they_mean_to_the_meshes(text, matches, others):
    compiled = pattern(text)
    assert [value for value in matches if not compiled.fullmatch(value)] == []
    assert [value for value in others if compiled.fullmatch(value)] == []


@pytest.mark.parametrize(
    "text",
    ["(", "[a", "[a--]", "[1--", "a{2,1}", "*", r"\pL", r"[\pL]", "[[:nope:]]", "a(?i)b",
     r"\x{110000}", "a\\", "(" * 3000, "a{99999999999999999999}", "x" * 4097],
)  # fmt: skip
def test_a_pattern_that_cannot_be_read_is_a_config_error(text):
    with pytest.raises(ConfigError):
        pattern(text)


@given(st.text(alphabet=r"ab[]^-\()|&~:dzQEx{}41?<P>i+*.", max_size=24))
def test_any_text_compiles_in_silence_or_is_a_config_error(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(ConfigError):
            pattern(text)
