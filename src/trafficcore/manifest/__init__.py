"""RING 2: manifests as their users write them, to `trafficcore.spec`. Knows no machine.

`load` gives a `Policy` or raises `ManifestError` with every fault; `check` reports all problems
and raises nothing. To find the code for a field: `asm_limit`, `asm_break`, `destination` (with
`destination_lb`, `destination_locality`, `destination_pool`) and `quota` hold one table a kind,
`matchers` and `labels` what several of them say about requests, `common` what all of them share.
`codes` says what can be wrong.
"""

from trafficcore.manifest.check import main_check
from trafficcore.manifest.load import Report, check, load
from trafficcore.manifest.problems import Problem
from trafficcore.manifest.table import FieldRow, field_table

__all__ = ["FieldRow", "Problem", "Report", "check", "field_table", "load", "main_check"]
