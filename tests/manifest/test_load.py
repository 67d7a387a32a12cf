"""Documents, kinds, identities, and the error that holds every fault."""

import pytest

from manifest.helpers import (
    LIMIT,
    breaker,
    clean,
    faults,
    limit,
    limiter,
    remarks,
    the_fault,
    the_limit,
)
from trafficcore import manifest
from trafficcore.errors import ManifestError
from trafficcore.manifest import Problem
from trafficcore.spec import Policy

THREE_MISTAKES = """\
apiVersion: istio.alibabacloud.com/v1
kind: ASMCircuitBreaker
metadata:
  name: web
spec:
  configs:
  - match:
      vhost:
        name: web
        port: 70000
    breaker_config:
      windowsize: 10s
      slow_request_rt: 0.5
      max_slow_requests: 5
"""


def test_three_mistakes_are_three_problems_with_their_places():
    with pytest.raises(ManifestError) as caught:
        manifest.load(THREE_MISTAKES)
    assert str(caught.value).splitlines() == [
        (
            "<text>:10:15 spec.configs[0].match.vhost.port: "
            "must be a whole number from 0 to 65535, not '70000'"
        ),
        (
            "<text>:12:7 spec.configs[0].breaker_config.windowsize: "
            "the field 'windowsize' is unknown; did you mean 'window_size'?"
        ),
        (
            "<text>:13:24 spec.configs[0].breaker_config.slow_request_rt: "
            "must be a duration with its unit, such as 1s, not '0.5'"
        ),
    ]
    first = caught.value.problems[0]
    assert first == Problem(
        code="TC004",
        file="<text>",
        line=10,
        column=15,
        path="spec.configs[0].match.vhost.port",
        message="must be a whole number from 0 to 65535, not '70000'",
        value="70000",
    )


def test_the_example_of_the_docs_reads_as_it_stands_there(tmp_path):
    (tmp_path / "a.yaml").write_text(limit("{fill_interval: 1s, quota: sixty}"))
    (problem,) = manifest.check(tmp_path).errors
    place = f"{tmp_path}/a.yaml:8:39"
    wanted = "must be a whole number from 0, not 'sixty'"
    assert str(problem) == f"{place} spec.configs[0].limit.quota: {wanted}"


def test_faults_of_all_documents_and_files_come_together_and_in_order(tmp_path):
    first, second = (
        limit(text).replace("name: it", f"name: {text[-2]}x")
        for text in ("{quota: 1}", "{quota: x}")
    )
    (tmp_path / "b.yaml").write_text(f"{first}---\nkind: [\n---\n{second}")
    (tmp_path / "a.yaml").write_text(limit("{fill_interval: 1s, quota: -1}"))
    errors = manifest.check(tmp_path).errors
    assert [(problem.file[-6:], problem.line) for problem in errors] == [
        ("a.yaml", 8), ("b.yaml", 8), ("b.yaml", 11), ("b.yaml", 19), ("b.yaml", 19),
    ]  # fmt: skip


def test_check_raises_nothing_and_holds_the_policy_only_without_fault():
    report = manifest.check(THREE_MISTAKES)
    assert not report
    assert report.policy is None
    assert len(report.errors) == 3
    report = manifest.check(limit(LIMIT))
    assert report
    assert isinstance(report.policy, Policy)
    assert report.policy == manifest.load(limit(LIMIT))


# -- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [("configz", "configs"), ("workload_selector", "workloadSelector"), ("is_gateway", "isGateway"),
     ("applytotraffic", "applyToTraffic"), ("Configs", "configs")],
)  # fmt: skip
def test_an_unknown_field_is_told_at_its_key_with_the_one_that_was_meant(name, meant):
    report = manifest.check(
        limiter(f"configs: []\n{name}: 1\n" if name != "configz" else "configz: 1\n")
    )
    (problem,) = report.errors
    assert problem.message == f"the field '{name}' is unknown; did you mean '{meant}'?"
    assert (problem.path, problem.column) == (f"spec.{name}", 3)
    assert problem.value == name


def test_a_field_that_is_like_no_other_has_no_suggestion():
    assert the_fault(limiter("configs: []\nzzz: 1\n")) == "spec.zzz: the field 'zzz' is unknown"


def test_a_key_that_is_no_word_stands_in_brackets():
    assert the_fault(limiter('configs: []\n"a b\\n": 1\n')).startswith(
        r"spec['a b\n']: the field 'a b\n'"
    )


def test_a_misspelt_field_is_one_fault_even_where_it_is_required():
    assert the_fault(limit("{fill_interval: 1s, qouta: 5}")) == (
        "spec.configs[0].limit.qouta: the field 'qouta' is unknown; did you mean 'quota'?"
    )
    text = breaker("{error_percent: {value: 5}}").replace("match:", "macth:")
    assert the_fault(text).endswith("the field 'macth' is unknown; did you mean 'match'?")


def test_unknown_fields_are_found_at_every_level():
    text = limit(LIMIT).replace("metadata:", "extra: 1\nmetadata:\n  nmae: x")
    assert faults(text) == [
        "extra: the field 'extra' is unknown",
        "metadata.nmae: the field 'nmae' is unknown; did you mean 'name'?",
    ]


def test_a_key_that_stands_twice_is_a_fault_naming_both_lines():
    text = limiter("configs:\n- limit:\n    quota: 1\n    fill_interval: 1s\n    quota: 2\n")
    (problem,) = manifest.check(text).errors
    assert problem.message == "stands here twice, in line 9 and in line 11"
    assert (problem.line, problem.column) == (11, 7)
    assert problem.path == "spec.configs[0].limit.quota"


@pytest.mark.parametrize("place", ["labels: {a: 1, a: 2}", "annotations: {a: '1', a: '2'}"])
def test_keys_of_maps_may_not_stand_twice_either(place):
    text = limit(LIMIT).replace("  name: it\n", f"  name: it\n  {place}\n")
    assert "stands here twice" in the_fault(text)


def test_merge_keys_are_refused_by_name():
    text = limiter("configs:\n- limit: {<<: {quota: 1}, fill_interval: 1s, quota: 5}\n")
    assert "merge keys are not read" in the_fault(text)


def test_aliases_of_values_are_read():
    text = limiter("configs:\n- limit: &l {fill_interval: 1s, quota: 5}\n- limit: *l\n")
    assert [rule.limit.quota for rule in manifest.load(text).limits] == [5, 5]


# -- kinds and versions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("ASMLocalRateLimiter", "istio.alibabacloud.com/v1"),
        ("ASMLocalRateLimiter", "istio.alibabacloud.com/v1beta1"),
        ("ASMCircuitBreaker", "istio.alibabacloud.com/v1"),
        ("ASMCircuitBreaker", "istio.alibabacloud.com/v1beta1"),
        ("DestinationRule", "networking.istio.io/v1"),
        ("DestinationRule", "networking.istio.io/v1beta1"),
        ("DestinationRule", "networking.istio.io/v1alpha3"),
        ("QuotaSchedulingPolicy", "istio.alibabacloud.com/v1"),
    ],
)
def test_every_version_of_a_kind_means_the_same(kind, version):
    specs = {
        "ASMLocalRateLimiter": f"configs: [{{limit: {LIMIT}}}]",
        "ASMCircuitBreaker": "configs: [{match: {}, breaker_config: {error_percent: {value: 9}}}]",
        "DestinationRule": "host: web",
        "QuotaSchedulingPolicy": (
            "quota_scheduler: {bucket_capacity: 1, fill_amount: 1, rate_limiter: {interval: 1s}}"
        ),
    }
    head = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: it}}\n"
    clean(head + f"spec: {{{specs[kind]}}}")


@pytest.mark.parametrize(
    ("kind", "version"),
    [("ASMLocalRateLimiter", "istio.alibabacloud.com/v2"), ("DestinationRule", "v1"),
     ("QuotaSchedulingPolicy", "istio.alibabacloud.com/v1beta1"),
     ("DestinationRule", "istio.alibabacloud.com/v1")],
)  # fmt: skip
def test_a_known_kind_of_an_unknown_version_is_a_fault(kind, version):
    text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: it}}\nspec: {{}}"
    found = [fault for fault in faults(text) if fault.startswith("apiVersion")]
    assert len(found) == 1
    assert found[0].startswith("apiVersion: must be one of ")
    assert found[0].endswith(f"for the kind {kind}, not '{version}'")


def test_a_known_kind_needs_its_version_its_metadata_and_a_name():
    assert faults(limit(LIMIT).replace("apiVersion: istio.alibabacloud.com/v1\n", "")) == [
        "apiVersion: is required"]  # fmt: skip
    assert faults(limit(LIMIT).replace("  name: it\n", "")) == ["metadata.name: is required"]
    text = limit(LIMIT)
    head = text.replace("metadata:\n  name: it\n  namespace: shop\n", "")
    assert faults(head) == ["metadata: is required"]


@pytest.mark.parametrize(
    "kind",
    ["WorkloadEntry"],
)  # fmt: skip
def test_kinds_that_come_later_are_named_and_skipped(kind):
    text = f"apiVersion: any/v9\nkind: {kind}\nmetadata: {{x: 1, x: 2}}\nspec: [what, ever]\n"
    report = manifest.check(text)
    assert report.policy == Policy(notices=report.notices)
    assert report.notices == (f"kind {kind} is not read in this version; skipped (<text>:2)",)


@pytest.mark.parametrize(
    ("group", "kind", "part"),
    [
        (
            "networking.istio.io/v1",
            "VirtualService",
            "its hosts, its routes, their timeouts and retries, where they lead",
        ),
        ("networking.internal.knative.dev/v1alpha1", "Ingress", "its hosts and what stands behind"),
    ],
)
def test_kinds_that_are_read_in_part_say_which(group, kind, part):
    text = f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: x}}\nspec: [what, ever]\n"
    (notice,) = manifest.check(text).notices
    assert notice.startswith(f"of kind {kind} {part}")
    other = manifest.check(text.replace(group, "networking.k8s.io/v1")).notices
    assert other == (f"kind {kind} is no traffic policy; skipped (<text>:2)",)


def test_other_kinds_are_named_and_skipped_once_for_all():
    text = "---\n".join("apiVersion: v1\nkind: Service\nspec: {}\n" for _ in range(3))
    assert manifest.load(text).notices == (
        "kind Service is no traffic policy; skipped (3 times, first <text>:2)",
    )


@pytest.mark.parametrize("kind", ["DestinationRules", "destinationrule", "ASMLocalRateLimter"])
def test_a_kind_that_looks_misspelt_is_a_warning(kind):
    (problem,) = manifest.check(f"apiVersion: v1\nkind: {kind}\nspec: {{}}\n").warnings
    assert problem.severity == "warning"
    assert problem.message.startswith(f"kind {kind} is unknown; skipped; did you mean ")


@pytest.mark.parametrize("text", ["a: 1\nb: 2\n", "kind:\nspec: {}\n", "kind: []\nspec: {}\n"])
def test_a_document_without_a_kind_is_a_fault(text):
    assert the_fault(text) == "kind: is required"


@pytest.mark.parametrize("text", ["just words\n", "- kind: List\n", "[{kind: List}]"])
def test_a_document_that_is_no_mapping_is_a_fault(text):
    assert the_fault(text).startswith(": must be a mapping with apiVersion and kind, not ")


# -- who it is -----------------------------------------------------------------------------------


def test_the_source_of_a_rule_says_where_it_stands():
    text = limiter(f"configs:\n- limit: {LIMIT}\n-\n  name: second\n  limit: {LIMIT}\n")
    first, second = manifest.load(text).limits
    assert (first.source.line, first.source.path, first.source.rule) == (8, "spec.configs[0]", "")
    assert (second.source.line, second.source.path) == (10, "spec.configs[1]")
    assert str(second.source) == "ASMLocalRateLimiter shop/it second (<text>:10)"


@pytest.mark.parametrize("namespace", ["  namespace: \n", "", '  namespace: ""\n'])
def test_no_namespace_is_default(namespace):
    text = limit(LIMIT).replace("  namespace: shop\n", namespace)
    assert the_limit(text).source.namespace == "default"
    assert the_limit(text).scope.namespace == "default"


def test_the_same_policy_twice_is_a_fault_naming_both_places(tmp_path):
    (tmp_path / "a.yaml").write_text(limit(LIMIT))
    (tmp_path / "b.yaml").write_text(limit(LIMIT).replace("/v1\n", "/v1beta1\n"))
    (problem,) = manifest.check(tmp_path).errors
    first, second = f"{tmp_path}/a.yaml:4", f"{tmp_path}/b.yaml:4"
    assert str(problem) == (
        f"{second}:9 metadata.name: ASMLocalRateLimiter shop/it is there twice: in {first} "
        f"and in {second}"
    )


def test_the_same_name_in_another_namespace_or_kind_is_another_policy():
    other = limit(LIMIT).replace("namespace: shop", "namespace: bank")
    kind = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: it, "
        "namespace: shop}\nspec: {host: web}\n"
    )
    clean("---\n".join([limit(LIMIT), other, kind]))


# -- Lists, and what kubectl prints --------------------------------------------------------------


def test_the_items_of_a_list_count_as_documents():
    text = (
        "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
        "- apiVersion: networking.istio.io/v1\n  kind: DestinationRule\n  metadata: {name: a}\n"
        "  spec: {host: web}\n"
        "- apiVersion: v1\n  kind: Service\n"
        "- apiVersion: v1\n  kind: List\n  items:\n"
        "  - apiVersion: networking.istio.io/v1\n    kind: DestinationRule\n    metadata: "
        "{name: b}\n"
        "    spec: {host: '*.x'}\n"
    )
    policy = manifest.load(text)
    assert [(rule.source.name, rule.source.path) for rule in policy.destinations] == [
        ("a", "items[0].spec"),
        ("b", "items[2].items[0].spec"),
    ]
    assert policy.notices == ("kind Service is no traffic policy; skipped (<text>:10)",)


def test_items_of_a_typed_list_take_its_kind():
    text = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRuleList\nitems:\n"
        "- metadata: {name: a}\n  spec: {host: web}\n"
    )
    assert [rule.source.name for rule in manifest.load(text).destinations] == ["a"]
    assert remarks("kind: PodList\nitems: [{metadata: {name: x}}]\n") == [
        ": kind Pod is no traffic policy; skipped"
    ]


@pytest.mark.parametrize("items", ["[]", ""])
def test_an_empty_list_is_nothing(items):
    assert clean(f"apiVersion: v1\nkind: List\nitems: {items}\n").policy == Policy()


def test_an_alias_does_not_hide_that_a_policy_is_there_twice():
    text = (
        "kind: List\nitems:\n- &a {apiVersion: networking.istio.io/v1, kind: DestinationRule, "
        "metadata: {name: a}, spec: {host: web}}\n- *a\n"
    )
    assert "is there twice" in the_fault(text)


def test_faults_inside_a_list_have_the_path_of_their_item():
    text = (
        "kind: List\nitems:\n- kind: DestinationRule\n  apiVersion: "
        "networking.istio.io/v1\n  metadata: {name: a}\n  spec: {}\n- 5\n"
    )
    assert faults(text) == [
        "items[0].spec.host: is required",
        "items[1]: must be a mapping with apiVersion and kind, not '5'",
    ]


KUBECTL = """\
apiVersion: v1
items:
- apiVersion: istio.alibabacloud.com/v1
  kind: ASMLocalRateLimiter
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"istio.alibabacloud.com/v1","kind":"ASMLocalRateLimiter","metadata":{}}
    creationTimestamp: "2026-01-05T09:00:00Z"
    deletionGracePeriodSeconds: null
    finalizers:
    - example.com/keep
    generateName: limit-
    generation: 3
    labels:
      app.kubernetes.io/managed-by: Helm
      tier: "1"
    managedFields:
    - apiVersion: istio.alibabacloud.com/v1
      fieldsType: FieldsV1
      fieldsV1:
        f:metadata:
          f:annotations:
            .: {}
            f:kubectl.kubernetes.io/last-applied-configuration: {}
        f:spec:
          f:configs: {}
      manager: kubectl-client-side-apply
      operation: Update
      time: "2026-01-05T09:00:00Z"
    name: limit
    namespace: default
    ownerReferences:
    - apiVersion: v1
      blockOwnerDeletion: true
      controller: true
      kind: Thing
      name: x
      uid: 00000000-0000-0000-0000-000000000000
    resourceVersion: "123456"
    selfLink: /apis/x
    uid: 6a1b7c9e-0000-0000-0000-000000000000
  spec:
    configs:
    - limit:
        fill_interval:
          seconds: 60
        quota: 2
      match:
        vhost:
          name: web.default.svc.cluster.local
          port: 80
    isGateway: true
  status:
    message: ""
    status: ok
kind: List
metadata:
  resourceVersion: ""
  selfLink: ""
"""


def test_what_kubectl_prints_loads_without_fault_or_warning():
    policy = clean(KUBECTL).policy
    assert policy is not None
    assert [rule.source.path for rule in policy.limits] == ["items[0].spec.configs[0]"]


# -- remarks -------------------------------------------------------------------------------------


def test_fields_without_effect_are_named_once_with_a_count_and_the_first_place(tmp_path):
    head = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: "
        "{}}}\nspec:\n  host: web\n"
    )
    tls = "  trafficPolicy:\n    tls: {mode: DISABLE}\n"
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(head.format(name) + tls)
    policy = manifest.load(tmp_path)
    assert policy.notices == (
        (
            f"field spec.trafficPolicy.tls has no effect in process (3 times, first "
            f"{tmp_path}/a.yaml:7)"
        ),
    )
    problems = manifest.check(tmp_path).warnings
    assert [str(problem) for problem in problems] == [
        f"{tmp_path}/{name}.yaml:7:5 spec.trafficPolicy.tls: has no effect in process"
        for name in "abc"
    ]


def test_indexes_and_lists_do_not_split_a_group():
    rule = "{limit: {fill_interval: 1s, quota: 5}, distinct: [a]}"
    text = limiter(f"configs:\n- {rule}\n- {rule}\n")
    (notice,) = manifest.load(text).notices
    assert notice == (
        "field spec.configs[].distinct has no effect in this version: "
        "one bucket serves all values (2 times, first <text>:8)"
    )


def test_inside_a_field_without_effect_only_faults_are_told():
    text = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec:\n"
        "  host: web\n  trafficPolicy: {tls: {mode: SIMPLE, sni: web}}\n"
    )
    assert remarks(text) == ["spec.trafficPolicy.tls: has no effect in process"]
    assert the_fault(text.replace("sni", "sin")).startswith("spec.trafficPolicy.tls.sin: ")


def test_a_file_of_nothing_but_faults_is_told_in_part():
    text = limiter("configs: []\n" + "".join(f"x{at}: 1\n" for at in range(3000)))
    errors = manifest.check(text).errors
    assert len(errors) == 1000
    assert sum("1000 faults or more" in problem.message for problem in errors) == 1


def test_remarks_without_end_are_told_in_part():
    text = "kind: List\nitems:\n" + "".join(f"- {{kind: Kind{at}}}\n" for at in range(3000))
    assert len(manifest.load(text).notices) == 1000
