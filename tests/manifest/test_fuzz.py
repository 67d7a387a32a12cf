"""Whatever a text holds, it ends in a policy or a `ManifestError`; `check` raises nothing."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifest.helpers import breaker, destination, limiter, quota
from trafficcore import manifest
from trafficcore.errors import ManifestError
from trafficcore.manifest import parse
from trafficcore.spec import Policy

VALID = [
    limiter(
        "workloadSelector:\n  labels: {app: web}\nisGateway: false\nconfigs:\n- name: a\n"
        "  match:\n    vhost:\n      name: web\n      port: 80\n      route:\n        "
        "header_match:\n"
        "        - {name: ':path', prefix_match: /}\n  limit:\n    fill_interval: {seconds: "
        "1, nanos: 5}\n"
        "    quota: 10\n    status: 429\n    response_headers_to_add: {x-a: 'true'}\n  "
        "limit_overrides:\n"
        "  - request_match:\n      query_match: [{name: q, regex_match: 'a[b]+'}]\n"
        "      remote_address: {address: 10.0.0.0, v4_prefix_mask_len: 8}\n"
        "    limit: {fill_interval: 1s, quota: 5}\n"
    ),
    breaker(
        "\n    window_size: 10s\n    break_duration: 60s\n    slow_request_rt: 0.5s\n"
        "    max_slow_requests: 5\n    error_percent: {value: 50}\n    custom_response:\n"
        "      status_code: 498\n      header_to_add: {x-a: b}\n      body: no"
    ),
    destination(
        "\n    outlierDetection: {consecutive5xxErrors: 3, interval: 5s, maxEjectionPercent: 100}\n"
        "    loadBalancer:\n      simple: ROUND_ROBIN\n      localityLbSetting:\n        "
        "distribute:\n"
        "        - from: a/*\n          to: {a/b: 60, c: 40}\n    portLevelSettings:\n"
        "    - port: {number: 80}\n      tls: {mode: SIMPLE}"
    ),
    quota(
        "bucket_capacity: 10\nfill_amount: 10.5\nrate_limiter: {interval: 1s}\nscheduler:\n"
        "  workloads:\n  - name: a\n    label_matcher:\n      match_labels: {x: y}\n      "
        "expression:\n"
        "        any: {of: [{label_exists: a}, {not: {label_matches: {label: b, regex: c}}}]}\n"
        "    parameters: {priority: 50, queue_timeout: 1s}\nselectors: [{service: any}]\n"
    ),
]
VALID.append("kind: List\nitems:\n" + "".join(f"- {text}" for text in ["{kind: Pod}\n", "{}\n"]))

#: Pieces that mean something to YAML, to the fields, or to neither.
PIECES = st.sampled_from(
    ["", " ", "\n", "\n---\n", "  ", ": ", "- ", "[", "]", "{", "}", ",", "'", '"', "&a ", "*a",
     "!!int ", "!x ", "<<: ", "? ", "|\n", "> ", "#", "%", "@", "~", "null", "true", "on", "010",
     "-1", "1e999", "0x1F", "9" * 30, "5s", "1", "-3s", "99999h", "é", "😀", "\t", "\r\n",
     "\x85", "\u2028", "\ufeff", "\0", "\ud800", "\\", '"\\ud800"', "(", "[a", "*", "/",
     "a/b/*", "kind: List\nitems:\n- ", "..."]
)  # fmt: skip


def ends_well(text):
    report = manifest.check([text + "\n"])
    assert all(str(problem) for problem in report.problems)
    if report.errors:
        with pytest.raises(ManifestError) as caught:
            manifest.load([text + "\n"])
        assert caught.value.problems == report.errors
    else:
        policy = manifest.load([text + "\n"])
        assert isinstance(policy, Policy)
        assert policy == report.policy


@pytest.fixture(params=["fast", "plain"])
def _loader(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(parse, "LOADER", yaml.SafeLoader)


quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_what_is_mutated_is_valid_at_first():
    for text in VALID[:-1]:
        assert manifest.check(text).errors == ()


@pytest.mark.usefixtures("_loader")
class TestAnyText:
    @given(st.text(max_size=200))
    @quick
    def test_any_text(self, text):
        ends_well(text)

    @given(st.lists(PIECES, max_size=40).map("".join))
    @quick
    def test_any_heap_of_pieces(self, text):
        ends_well(text)

    @given(
        st.sampled_from(VALID),
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), min_size=1, max_size=4),
    )
    @quick
    def test_a_manifest_with_some_of_it_replaced(self, text, cuts):
        for share, length, piece in cuts:
            at = int(share * len(text))
            text = text[:at] + piece + text[at + length :]
        ends_well(text)

    @given(
        st.sampled_from(VALID),
        st.integers(0, 10**6),
        st.recursive(
            st.sampled_from(["true", "5", "''", "1s", "x", "~", "-1", "1.5", "any", "'a b'"]),
            lambda inner: (
                st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
                | st.dictionaries(
                    st.sampled_from(
                        ["name", "of", "not", "all", "port", "limit", "x", "seconds", "'*'"]
                    ),
                    inner,
                    max_size=3,
                ).map(lambda pairs: "{" + ", ".join(f"{k}: {v}" for k, v in pairs.items()) + "}")
            ),
            max_leaves=6,
        ),
    )
    @quick
    def test_a_manifest_with_one_value_replaced_by_another_shape(self, text, which, value):
        lines = text.split("\n")
        places = [at for at, line in enumerate(lines) if ": " in line]
        if places:
            at = places[which % len(places)]
            lines[at] = lines[at].partition(": ")[0] + ": " + value
        ends_well("\n".join(lines))

    @given(st.binary(max_size=120))
    @quick
    def test_any_bytes_in_a_file(self, tmp_path, data):
        (tmp_path / "a.yaml").write_bytes(data)
        report = manifest.check(tmp_path)
        assert report.policy is not None or report.errors
