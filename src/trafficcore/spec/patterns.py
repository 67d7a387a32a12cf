r"""Regular expressions as the meshes write them (RE2), for Python's `re`.

Law    What RE2 and `re` both read means the same in both: `\d`, `\w`, `\s` are ASCII. What only
       RE2 has (`\z`, `\Q…\E`, `[[:alpha:]]`, `\x{…}`, `(?<name>…)`) is rewritten; what only `re`
       has (a look-ahead) is let through; the rest (`\pL`, flags in mid-pattern) is an error.
Cost   `re` backtracks where RE2 does not: the length of a pattern is bounded, its time is not.
"""

import re

from trafficcore.errors import ConfigError

__all__ = ["pattern"]

LONGEST = 4096

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_TOKEN = re.compile(
    r"\\Q(?P<literal>.*?)(?:\\E|\Z)|\\x\{(?P<hex>[0-9a-fA-F]{1,6})\}|\\(?P<escape>.)"
    r"|\(\?<(?P<named>(?![=!]))|(?P<set>\[\^?\]?)|(?P<other>.)",
    re.DOTALL,
)
_IN_SET = re.compile(
    r"\[:(?P<posix>\w+):\]|\\x\{(?P<hex>[0-9a-fA-F]{1,6})\}|\\(?P<escape>.)|(?P<end>\])|(?P<other>.)",
    re.DOTALL,
)
_UNREAD = frozenset("pPC")
#: What a dash in a set would be: a character, the operator of a range, the end of one.
_ITEM, _OPERATOR, _END = "item", "operator", "end"


def pattern(text: str) -> re.Pattern[str]:
    """Compile a regular expression, or raise `ConfigError` with the reason."""
    if len(text) > LONGEST:
        raise ConfigError(f"a pattern may have at most {LONGEST} characters")
    try:
        return re.compile(_translate(text), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"no regular expression: {text!r} ({error})") from error


def _translate(text: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:  # a backslash at the very end: `re` says it best
            out.append(text[at:])
            break
        at = found.end()
        kind = found.lastgroup
        if kind == "set":
            out.append(found[0])
            at = _translate_set(text, at, out)
        elif kind == "literal":
            out.append(re.escape(found["literal"]))
        elif kind == "named":
            out.append("(?P<")
        else:
            out.append(_escape(found, outside=True))
    return "".join(out)


def _translate_set(text: str, at: int, out: list[str]) -> int:
    # a dash that is no operator is written as an escape: `re` keeps two in a row for later use
    ranges = _OPERATOR if text[at - 1] == "]" else _ITEM
    while at < len(text):
        found = _IN_SET.match(text, at)
        if found is None:
            break
        at = found.end()
        dash = found.lastgroup == "other" and found[0] == "-"
        if found.lastgroup == "posix":
            out.append(_posix(found["posix"]))
        elif found.lastgroup == "other" and found[0] in "[&~|":
            out.append("\\" + found[0])  # `re` keeps these for set operations to come
        elif dash and ranges is not _OPERATOR:
            out.append(r"\-")
        else:
            out.append(_escape(found, outside=False))
        if found.lastgroup == "end":
            return at
        if ranges is _OPERATOR:
            ranges = _END if dash else _OPERATOR
        else:
            ranges = _OPERATOR if ranges is _ITEM else _ITEM
    out.append(text[at:])
    return len(text)


def _posix(name: str) -> str:
    if name not in _POSIX:
        raise ConfigError(f"[:{name}:] is no class of characters")
    return _POSIX[name]


def _escape(found: re.Match[str], *, outside: bool) -> str:
    if found.lastgroup == "hex":
        code = int(found["hex"], 16)
        if code > 0x10FFFF:
            raise ConfigError(f"{found[0]} is no character")
        return re.escape(chr(code))
    if found.lastgroup == "escape":
        letter = found["escape"]
        if letter in _UNREAD:
            raise ConfigError(f"\\{letter} is not read here")
        if letter == "z" and outside:
            return r"\Z"
    return found[0]
