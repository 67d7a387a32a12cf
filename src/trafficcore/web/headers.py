"""Headers as a rule sees them, read from where a shell keeps them when a rule first asks.

Names are lower case. A header that came more than once is one, joined by commas without a blank, as
Envoy's matchers see it, and cookies by semicolons.
Cost: nothing until somebody asks; then one pass in C over the names, and one value decoded a look.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["BARE", "AsgiHeaders", "RawHeaders", "WsgiHeaders", "key_of"]

RawHeaders = Iterable[tuple[bytes, bytes]]

#: What WSGI keeps under a name of its own.
BARE: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class AsgiHeaders(Mapping[str, str]):
    """The `headers` of an ASGI scope."""

    __slots__ = ("_raw", "_values")

    def __init__(self, raw: RawHeaders) -> None:
        self._raw = raw
        self._values: dict[bytes, bytes] | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """Return one header. A name that does not fit latin-1 is in no request."""
        values = self._values
        if values is None:
            values = self._values = _by_name(self._raw)
        value = values.get(name.encode("latin-1", "replace"))
        return default if value is None else value.decode("latin-1")

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in _by_name(self._raw))

    def __len__(self) -> int:
        return len(_by_name(self._raw))


def _by_name(raw: RawHeaders) -> dict[bytes, bytes]:
    pairs = raw if isinstance(raw, list) else list(raw)
    values = dict(pairs)
    if len(values) == len(pairs) and b"".join(values).islower():  # as servers send them, mostly
        return values
    values = {}
    for key, value in pairs:
        name = key.lower()
        before = values.get(name)
        joint = b"; " if name == b"cookie" else b","
        values[name] = value if before is None else before + joint + value
    return values


class WsgiHeaders(Mapping[str, str]):
    """The headers in a WSGI environ, where `-` and `_` are the same: it is taken for `-`."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def get(self, name: str, default: Any = None) -> Any:
        """Return one header; an empty content type or length is none."""
        value = self._environ.get(key_of(name))
        if name in BARE:
            value = self._environ.get(BARE[name]) or value
        return default if value is None else value

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        environ = self._environ
        names = {key[5:].replace("_", "-").lower() for key in environ if key.startswith("HTTP_")}
        names.update(name for name, key in BARE.items() if environ.get(key))
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=1024)  # names come from rules
def key_of(name: str) -> str:
    """Return the environ's key of a header; "" for one that no environ can tell from another."""
    return "" if "_" in name else f"HTTP_{name.upper().replace('-', '_')}"
