"""What trafficcore itself is told about one policy: annotations, since no field of a mesh has it.

`trafficcore/mode: shadow` counts what the policy would refuse and refuses nothing;
`trafficcore/share: host` keeps its buckets for all processes of a machine together.
"""

from typing import Any

import attrs

from trafficcore.manifest.fields import Record, nearest
from trafficcore.manifest.nodes import Mapping, Node, Scalar
from trafficcore.manifest.problems import Notes, short
from trafficcore.spec import RateLimitRule

__all__ = ["Settings", "read_settings"]

_PREFIX = "trafficcore/"
_CHOICES = {"mode": ("enforce", "shadow"), "share": ("local", "host")}
_OTHERS = ("ignore",)
_IDLE = {
    "mode": "it refuses nothing",
    "share": "only the buckets of ASMLocalRateLimiter can be shared",
}


@attrs.frozen(kw_only=True)
class Settings:
    """How the rules of one document are run."""

    shadow: bool = False
    share: str = ""

    def of(self, rule: Any) -> Any:
        """Return a rule with these settings."""
        rule = attrs.evolve(rule, shadow=True) if self.shadow else rule
        if self.share and isinstance(rule, RateLimitRule):
            rule = attrs.evolve(rule, share=self.share)
        return rule


def read_settings(
    metadata: Record, notes: Notes, *, shadows: bool = True, shares: bool = True
) -> Settings:
    """Read our annotations; one that is none of ours, or says nothing we know, is a fault.

    `shadows` says whether the kind has rules that refuse, and so can do it in shadow; `shares`,
    whether it has buckets that a file can hold.
    """
    idle = ("mode",) * (not shadows) + ("share",) * (not shares)
    found: dict[str, str] = {}
    for key, value in _annotations(metadata.at("annotations")):
        name = key.text.removeprefix(_PREFIX)
        if name == key.text or name in _OTHERS:
            continue
        path = f"{metadata.to('annotations')}['{key.text}']"
        if name not in _CHOICES:
            meant = nearest(name, (*_CHOICES, *_OTHERS))
            hint = f"; did you mean {_PREFIX}{meant}?" if meant else ""
            notes.error(key, path, f"is no annotation of trafficcore's{hint}", key.text)
        elif isinstance(value, Scalar):
            if value.text in _CHOICES[name]:
                found[name] = value.text
                if name in idle:
                    del found[name]
                    message = f"has no effect: {_IDLE[name]}"
                    notes.warn("TC902", key, path, message, value.text)
            else:
                wanted = " or ".join(_CHOICES[name])
                message = f"must be {wanted}, not {short(value.text)}"
                notes.error(value, path, message, value.text)
    return Settings(shadow=found.get("mode") == "shadow", share=found.get("share", ""))


def _annotations(node: Node) -> list[tuple[Scalar, Node]]:
    return node.entries if isinstance(node, Mapping) else []
