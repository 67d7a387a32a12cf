"""RING 3: judgement of a whole set of manifests: what is legal and surely wrong, and how to say it.

What one record says against itself is told where its table is, in `trafficcore.manifest`; here is
what takes two rules, or a document beside them. A file an idea, each a function from a `Case` to
its problems; `report` writes them.
"""

from trafficcore.judge.case import HostCounts
from trafficcore.judge.judging import judge
from trafficcore.judge.report import FORMATS, entry, write_report

__all__ = ["FORMATS", "HostCounts", "entry", "judge", "write_report"]
