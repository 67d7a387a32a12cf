"""One entry of the registry."""

import attrs

__all__ = ["Code"]


@attrs.frozen(kw_only=True)
class Code:
    """A problem by its code: what it is, why it matters, what to write instead.

    `example` raises it. It is short: the tests give each of its documents the `apiVersion` and
    the `metadata` that it leaves out. A few problems (a file that is not there) have none.
    """

    id: str
    name: str
    severity: str
    title: str
    why: str
    instead: str
    example: str = ""
