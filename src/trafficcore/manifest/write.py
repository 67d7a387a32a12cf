"""Plain data as YAML text, for people: keys in their order, texts quoted where they must be."""

from typing import Any

import yaml

__all__ = ["to_yaml"]


def to_yaml(data: Any) -> str:
    """Return plain data (mappings, lists, scalars) as one YAML document."""
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    return text
