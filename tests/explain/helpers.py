"""What a manifest or a rule means, by key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support.policies import policy
from trafficcore import manifest
from trafficcore.engine import Identity
from trafficcore.explain import Hosts, Meaning, RuleMeaning, explain

EXAMPLES = Path(__file__).parents[2] / "examples"
NOBODY = Identity()


def meanings(*rules: Any, hosts: int | None = None, identity: Identity = NOBODY) -> RuleMeaning:
    (found,) = explain(policy(*rules), identity, Hosts(each=hosts))
    return found


def example(name: str) -> RuleMeaning:
    (found,) = explain(manifest.load(EXAMPLES / name), NOBODY, Hosts())
    return found


def of_text(text: str) -> list[RuleMeaning]:
    return explain(manifest.load(text), NOBODY, Hosts())


def values(rule: RuleMeaning) -> dict[str, str]:
    found = {one.key: one.value for one in rule.meanings}
    assert len(found) == len(rule.meanings), "a key stands twice"
    return found


def texts(found: RuleMeaning | Iterable[Meaning]) -> list[str]:
    one = found.meanings if isinstance(found, RuleMeaning) else found
    return [meaning.text for meaning in one if meaning.text]


def text(rule: RuleMeaning, key: str) -> str:
    return next(one.text for one in rule.meanings if one.key == key)
