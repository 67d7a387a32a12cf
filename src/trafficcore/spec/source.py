"""Where a rule was written: the name people know it by, and the file and line to open at 3 a.m."""

import attrs

__all__ = ["Source"]


@attrs.frozen(kw_only=True)
class Source:
    """The place of one rule in one manifest.

    `path` leads to the rule inside its document (`spec.configs[0]`), `line` and `column` are
    1-based and point at it (0: nobody knows); `rule` is its own name (`configs[].name`) where the
    manifest gives one.
    """

    file: str
    line: int
    kind: str
    namespace: str
    name: str
    path: str = "spec"
    rule: str = ""
    column: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """What people call it: by its manifest, and by its own name where it has one."""
        manifest = f"{self.kind} {self.namespace}/{self.name}"
        return (manifest, f"{manifest} {self.rule}") if self.rule else (manifest,)

    def __str__(self) -> str:
        tail = f" {self.rule}" if self.rule else ""
        return f"{self.kind} {self.namespace}/{self.name}{tail} ({self.file}:{self.line})"
