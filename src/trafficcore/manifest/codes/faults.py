"""TC0: what keeps a set of manifests from loading. A fault cannot be silenced."""

from trafficcore.manifest.codes.code import Code

__all__ = ["FAULTS"]


def _fault(code: str, name: str, title: str, why: str, instead: str, example: str = "") -> Code:
    return Code(
        id=code,
        name=name,
        severity="error",
        title=title,
        why=why,
        instead=instead,
        example=example,
    )


FAULTS = (
    _fault(
        "TC001",
        "cannot-be-read",
        "A file cannot be read",
        "It is not there, may not be read, is no text in UTF-8 or is too large.",
        "Look at the path and at the file's rights; save it as UTF-8.",
    ),
    _fault(
        "TC002",
        "not-yaml",
        "A text is not the YAML of a manifest",
        "Its syntax is broken, or it uses what a manifest has no need for: tags, merge keys, keys "
        "that are no texts, nesting and aliases beyond all measure.",
        "Close what is open at the place named, and write merged fields out.",
        "kind: DestinationRule\nspec: {host: web\n",
    ),
    _fault(
        "TC003",
        "unknown-field",
        "A field is unknown",
        "The mesh would refuse it or, worse, drop it without a word.",
        "Take the name that the message suggests, or look the field up in the table of fields.",
        "kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n    outlierDetection:\n"
        "      intervall: 5s\n",
    ),
    _fault(
        "TC004",
        "wrong-value",
        "A value is not what its field holds",
        "It is of another type, out of bounds, or no value that the field knows.",
        "The message says what must stand there.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit:\n      fill_interval: 60\n"
        "      quota: 2\n",
    ),
    _fault(
        "TC005",
        "missing",
        "Something that must be there is missing",
        "Without it the policy says nothing that could be done.",
        "Write the field that the message names.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit:\n      quota: 2\n",
    ),
    _fault(
        "TC006",
        "stands-twice",
        "Something stands there twice",
        "A key, a name or a whole document: of two only one can hold, and which one is a matter "
        "of chance.",
        "Remove one of the two, or give it a name of its own.",
        "kind: DestinationRule\nspec:\n  host: web\n  host: shop\n",
    ),
    _fault(
        "TC007",
        "exclude-each-other",
        "Two settings exclude each other",
        "The mesh refuses them beside each other.",
        "Keep the one that is meant.",
        "kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n    loadBalancer:\n"
        "      localityLbSetting:\n        distribute:\n        - {from: eu/*, to: {eu/*: 100}}\n"
        "        failover:\n        - {from: eu, to: us}\n",
    ),
    _fault(
        "TC008",
        "too-many-faults",
        "A file has more faults than are listed",
        "Nobody reads a thousand lines about one file; the rest of it may not have been read.",
        "Mend those that are listed first, the first of all: often it is the cause of the others.",
    ),
)
