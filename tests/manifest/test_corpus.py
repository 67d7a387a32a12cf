"""Our own manifests beside what they must become: policies, notices and faults, word for word.

After a change on purpose, `UPDATE_GOLDEN=1` in the environment writes the golden files anew; then
read the difference.
"""

import json
import os
from enum import Enum
from pathlib import Path

import attrs
import pytest

from trafficcore import manifest

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.yaml"))


def plain(_owner, _field, value):
    return value.value if isinstance(value, Enum) else value


def written(report):
    """A report as JSON that a person can read; what says nothing is left out."""
    text = {
        "problems": [f"{problem.severity}: {problem}" for problem in report.problems],
        "notices": list(report.notices),
    }
    if report.policy is not None:
        policy = attrs.asdict(report.policy, value_serializer=plain)
        text |= {name: rules for name, rules in policy.items() if rules and name != "notices"}
    return json.dumps(text, indent=1, ensure_ascii=False).replace(f"{CORPUS}{os.sep}", "") + "\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_manifest_of_the_corpus_becomes_what_it_must(file):
    found = written(manifest.check(file))
    golden = file.with_suffix(".json.golden")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_the_corpus_has_every_kind_and_a_file_of_faults():
    kinds = (
        "ASMLocalRateLimiter", "ASMCircuitBreaker", "DestinationRule", "QuotaSchedulingPolicy",
        "RateLimitingPolicy", "ConcurrencyLimitingPolicy", "ConcurrencySchedulingPolicy",
        "LoadRampingPolicy", "AverageLatencySchedulingPolicy",
        "ServiceEntry",
    )  # fmt: skip
    text = "".join(file.read_text(encoding="utf-8") for file in FILES if file.stem != "faults")
    assert all(f"kind: {kind}" in text for kind in kinds)
    assert len(manifest.check(CORPUS / "faults.yaml").errors) > 20
    assert all(manifest.check(file) for file in FILES if file.stem != "faults")
