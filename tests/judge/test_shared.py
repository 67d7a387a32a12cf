"""The manifests that the project is held to, where they are at hand: what is said of each."""

from pathlib import Path

import pytest

from trafficcore import manifest
from trafficcore.judge import judge

SHARED = Path(__file__).parents[3] / "shared" / "manifests"
FILES = sorted(SHARED.glob("*/*.yaml"))
#: What is wrong with a manifest itself, without what this version does not do (TC9).
FOUND = {
    "01-throttle-as-in-the-article": ["TC101"],
    "02-slow-breaker-as-in-the-article": ["TC204", "TC206", "TC601"],
    "03-outlier-as-in-the-article": ["TC303", "TC306", "TC602"],
    "05-two-hosts-two-limits": ["TC503"],
    "09-no-selector": ["TC503"],
    "10-error-breaker": ["TC503"],
    "01-all": ["TC304", "TC306", "TC512", "TC602"],
    "02-locality": ["TC303", "TC306"],
    "06-warmup-old-name": ["TC602"],
    "08-connection-pool-and-outlier": ["TC303", "TC306", "TC602"],
    "09-region-failover": ["TC301"],
    "10-weighted-regions": ["TC301"],
}


@pytest.mark.skipif(not FILES, reason="the shared manifests are not here")
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_is_said_of_a_shared_manifest(file):
    report = judge(manifest.check(file))
    codes = {problem.code for problem in report.problems if not problem.code.startswith("TC9")}
    assert sorted(codes) == FOUND.get(file.stem, [])


def test_the_examples_have_nothing_left_to_say():
    examples = Path(__file__).parents[2] / "examples"
    report = judge(manifest.check(sorted(examples.rglob("policy.yaml"))))
    assert report.problems == ()
    assert sorted(problem.code for problem in report.silenced) == [
        "TC204", "TC206", "TC303", "TC306"
    ]  # fmt: skip
