"""Where a field stands, found by its path after everything was read."""

import pytest

from manifest.helpers import destination, limiter
from trafficcore import manifest
from trafficcore.spec import Source

CONFIGS = "configs:\n- limit: {fill_interval: 1s, quota: 5}\n- {name: b, limit: {quota: 1}}\n"
TEXT = limiter(CONFIGS.replace("quota: 1", "quota: 1, fill_interval: 1s"))


def place(report, path, source=None):
    node = report.places.find(source or report.policy.limits[0].source, path)
    return node and (node.line, node.column)


@pytest.mark.parametrize(
    ("path", "found"),
    [("spec", (6, 1)), ("spec.configs", (7, 3)), ("spec.configs[1]", (9, 5)),
     ("spec.configs[0].limit.quota", (8, 32)), ("spec.configs[1].name", (9, 6)),
     ("spec.configs[2]", None), ("spec.configs.limit", None), ("spec[0]", None),
     ("spec.configs[0].limit.quota.x", None), ("spec.gone.further", None)],
)  # fmt: skip
def test_a_path_leads_to_the_key_of_a_field_or_to_an_item(path, found):
    assert place(manifest.check(TEXT), path) == found


def test_a_path_inside_a_list_of_documents():
    item = "- " + TEXT.replace("\n", "\n  ").rstrip() + "\n"
    other = item.replace("name: it", "name: other")
    report = manifest.check(f"kind: List\nitems:\n{item}{other}")
    first, second = report.policy.limits[0].source, report.policy.limits[2].source
    assert place(report, "items[0].spec.configs", first) == (9, 5)
    assert place(report, "items[1].spec.configs", second) == (18, 5)


def test_a_document_that_was_not_read_has_no_places():
    source = Source(file="x", line=1, kind="ASMLocalRateLimiter", namespace="a", name="b")
    assert place(manifest.check(TEXT), "spec", source) is None


def test_the_settings_of_ports():
    report = manifest.check(
        destination(
            "\n    portLevelSettings:\n"
            "    - {port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}\n"
            "    - {port: {number: 443}, loadBalancer: {simple: ROUND_ROBIN}}\n"
            "    - {port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}\n"
        )
    )
    (rule,) = report.policy.destinations
    at = "spec.trafficPolicy.portLevelSettings"
    assert report.places.ports(rule.source, at) == {"80": f"{at}[0]", "443": f"{at}[1]"}
    assert report.places.ports(rule.source, "spec.host") == {}
