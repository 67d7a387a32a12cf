"""RING 3: what policies mean, in sentences and numbers, for people. Decides nothing, reads no file.

A pure function a kind turns a rule into facts (`Meaning`); sentences, the table, JSON and the
comparison are all made of them.
"""

from trafficcore.explain.compare import Change, Difference, compare
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.request import RequestMeaning, Step, explain_request
from trafficcore.explain.rows import Row, rows, sums
from trafficcore.explain.rules import Hosts, RuleMeaning, explain

__all__ = [
    "Change",
    "Difference",
    "Hosts",
    "Meaning",
    "RequestMeaning",
    "Row",
    "RuleMeaning",
    "Step",
    "compare",
    "explain",
    "explain_request",
    "rows",
    "sums",
]
