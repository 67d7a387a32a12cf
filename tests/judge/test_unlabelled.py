"""Subsets and the endpoints that ServiceEntries list for them."""

import pytest

from judge.helpers import found, said

RULE = (
    "kind: DestinationRule\nspec:\n  host: api.example.com\n  subsets:\n"
    "  - {name: v1, labels: {version: v1}}\n  - {name: eu, labels: {version: v2, region: eu}}\n"
    "  - {name: all}\n"
)


def entry(resolution, *endpoints, more=""):
    items = "".join(f"  - {it}\n" for it in endpoints)
    head = f"kind: ServiceEntry\nspec:\n  hosts: [api.example.com]\n  resolution: {resolution}\n"
    return f"{head}{more}" + (f"  endpoints:\n{items}" if endpoints else "")


def beside(declared):
    return f"{RULE}---\n{declared}" if declared else RULE


V1 = "{address: 10.0.0.1, labels: {version: v1, region: eu}}"
V2 = "{address: 10.0.0.2, labels: {version: v2, region: us}}"
EU = "{address: 10.0.0.3, labels: {version: v2, region: eu}}"


def test_a_subset_of_nobody_is_told_at_its_labels():
    (problem,) = found(beside(entry("STATIC", V1, V2)), "TC512")
    assert problem.path == "spec.subsets[1].labels"
    assert problem.value == "eu"
    assert problem.message == (
        "no endpoint of api.example.com has version=v2, region=eu: its calls are refused"
    )
    assert problem.line > 1


def test_names_have_the_labels_of_their_addresses():
    named = "{address: a.example.com, labels: {version: v1}}"
    assert len(said(beside(entry("DNS", named)), "TC512")) == 1
    assert len(said(beside(entry("DNS")), "TC512")) == 2


@pytest.mark.parametrize(
    "declared",
    [
        entry("STATIC", V1, V2, EU),
        f"{entry('STATIC', V1)}---\n{entry('STATIC', EU)}",
        entry("NONE"),
        entry("STATIC", more="  workloadSelector: {labels: {app: x}}\n"),
        f"{entry('STATIC', V1)}---\n{entry('NONE')}",
        "",
    ],
)
def test_where_somebody_may_have_them_nothing_is_told(declared):
    assert found(beside(declared), "TC512") == []
