"""`Meaning`: one fact of a rule: a name that stays, a value to compare, a sentence to read."""

from collections.abc import Iterable

import attrs

__all__ = ["Meaning", "find", "under"]


@attrs.frozen
class Meaning:
    """One thing a rule does.

    `key` names it in the words of the glossary, `value` says it so shortly that two can be
    compared, `text` in a sentence. Without a text it is as everybody expects: worth comparing,
    not worth a line.
    """

    key: str
    value: str
    text: str = ""


def under(name: str, meanings: Iterable[Meaning], lead: str) -> tuple[Meaning, ...]:
    """Return the facts of a part of a rule, its name before their keys, `lead` before the texts."""
    return tuple(
        Meaning(f"{name} {one.key}", one.value, one.text and f"{lead}: {one.text}")
        for one in meanings
    )


def find(meanings: Iterable[Meaning], key: str) -> str:
    """Return the value of one fact, "" where a rule does not have it."""
    return next((one.value for one in meanings if one.key == key), "")
