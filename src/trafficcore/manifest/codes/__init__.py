"""What can be wrong with a manifest, by code: `TC101`, one entry each, grouped by hundreds.

0 faults, 1 limits, 2 breakers, 3 endpoints, localities, retries, 4 quotas, 5 hosts, routes and who
a rule is for, 6 spelling, 9 what this version does not do. A code never changes its meaning, and
one that is given up is not given out again. `docs/reference/checks.md` is made of these entries.
"""

from trafficcore.manifest.codes.breakers import BREAKERS
from trafficcore.manifest.codes.calls import CALLS
from trafficcore.manifest.codes.code import Code
from trafficcore.manifest.codes.endpoints import ENDPOINTS
from trafficcore.manifest.codes.faults import FAULTS
from trafficcore.manifest.codes.idle import IDLE
from trafficcore.manifest.codes.limits import LIMITS
from trafficcore.manifest.codes.quotas import QUOTAS
from trafficcore.manifest.codes.selection import SELECTION
from trafficcore.manifest.codes.spelling import SPELLING

__all__ = ["CODES", "SECTIONS", "Code"]

#: The entries under the headings of the page.
SECTIONS: dict[str, tuple[Code, ...]] = {
    "Faults": FAULTS,
    "Limits": LIMITS,
    "Breakers": BREAKERS,
    "Endpoints, localities and retries": (*ENDPOINTS, *CALLS),
    "Quotas": QUOTAS,
    "Hosts, routes and who a rule is for": SELECTION,
    "Spelling": SPELLING,
    "What this version does not do": IDLE,
}

CODES: dict[str, Code] = {code.id: code for codes in SECTIONS.values() for code in codes}
