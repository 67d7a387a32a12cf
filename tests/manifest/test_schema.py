"""JSON Schemas: what loads is valid, what is misspelt is not, and what a field does is said."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator, Draft202012Validator

from manifest.helpers import BREAKER, breaker, destination, limit, quota
from trafficcore import manifest
from trafficcore.cli import cli
from trafficcore.cli.schema import _described
from trafficcore.manifest.fields import Field, Object
from trafficcore.manifest.schema import Described, file_names, kinds, schema
from trafficcore.manifest.shapes import ListOf, MapOf, Ref
from trafficcore.manifest.types import TEXT, UINT32

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "manifests"
CORPUS = ROOT / "tests" / "manifest" / "corpus"
FAULTS = CORPUS / "faults.yaml"
FILES = sorted(
    {*CORPUS.glob("*.yaml"), *(ROOT / "examples").rglob("*.yaml"), *SHARED.rglob("*.yaml")}
    - {FAULTS}
)
DESCRIBED = _described()


class Loader(yaml.SafeLoader):
    """Reads what an editor reads: YAML 1.2 has no dates."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, regexp) for tag, regexp in found if not tag.endswith("timestamp")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def items(document: Any) -> Iterator[Any]:
    """A document, or the items of a List."""
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        yield from document.get("items", ())
    elif isinstance(document, dict):
        yield document


def documents(text: str) -> list[Any]:
    return [
        item
        for document in yaml.load_all(text, Loader)
        for item in items(document)
        if item.get("kind") in DESCRIBED
    ]


def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(DESCRIBED[kind].schema())


def errors(document: Any) -> list[str]:
    """Where a document is not valid, by its path."""
    found = validator(document["kind"]).iter_errors(document)
    return [".".join(map(str, error.absolute_path)) for error in found]


def valid(text: str) -> bool:
    (document,) = documents(text)
    return not errors(document)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_loads_is_valid(file: Path) -> None:
    assert manifest.check(file).errors == ()
    for document in documents(file.read_text("utf-8")):
        assert errors(document) == []


#: Put in the place of any value: most are wrong there, some are right, and that must agree.
ODD = (None, True, 0, 1, 1.5, "", "x", "1", "1s", "0.5s", "true", [], {}, ["x"], {"x": "y"})


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs if isinstance(node, (dict, list)) else ():
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


@pytest.mark.parametrize("name", ["limits", "breakers", "destinations", "quotas"])
def test_whatever_loads_is_valid(name: str) -> None:
    loaded = refused = 0
    for document in documents((CORPUS / f"{name}.yaml").read_text("utf-8")):
        valid_one = validator(document["kind"])
        for *path, last in places(document):
            for odd in ODD:
                changed = copy.deepcopy(document)
                inner = changed
                for key in path:
                    inner = inner[key]
                inner[last] = odd
                if changed["kind"] != document["kind"]:
                    continue
                if manifest.check(yaml.safe_dump(changed)).errors:
                    refused += 1
                else:
                    loaded += 1
                    assert valid_one.is_valid(changed), (*path, last, odd)
    assert loaded > 50
    assert refused > 50


def test_there_is_something_to_hold_them_to() -> None:
    seen = {doc["kind"] for file in FILES for doc in documents(file.read_text("utf-8"))}
    assert seen == set(DESCRIBED)


@pytest.mark.parametrize("kind", DESCRIBED)
def test_a_schema_is_one_by_both_drafts(kind: str) -> None:
    found = DESCRIBED[kind].schema()
    Draft202012Validator.check_schema(found)
    Draft7Validator.check_schema(found)
    json.dumps(found)


@pytest.mark.parametrize("kind", DESCRIBED)
def test_defaults_are_valid_where_they_stand(kind: str) -> None:
    found = DESCRIBED[kind].schema()

    def walk(node: Any) -> int:
        if isinstance(node, list):
            return sum(map(walk, node))
        if not isinstance(node, dict):
            return 0
        seen = 0
        if "default" in node and not isinstance(node["default"], dict):
            whole = {**node, "$defs": found.get("$defs", {})}
            Draft202012Validator(whole).validate(node["default"])
            seen = 1
        return seen + sum(map(walk, node.values()))

    assert walk(found) > 0


def test_the_faulty_corpus_is_told() -> None:
    texts = FAULTS.read_text("utf-8").split("\n---\n")
    read = [documents(text) for text in texts if "!!python" not in text and "[closed" not in text]
    limiter, breaker_, rule, policy = (errors(found[0]) for found in read if found)
    assert set(limiter) >= {
        "spec.configs.0.match.vhost",
        "spec.configs.0.limit.fill_interval",
        "spec.configs.1.limit",
        "spec.configs.1.limit.response_headers_to_add",
    }
    assert set(breaker_) == {"apiVersion", "spec.configs.0.breaker_config.error_percent.value"}
    assert set(rule) >= {"spec.host"}
    assert {"metadata", "spec.quota_scheduler", "spec.quota_scheduler.bucket_capacity"} <= set(
        policy
    )
    parameters = "spec.quota_scheduler.scheduler.workloads.1.parameters.priority"
    assert parameters in policy


@pytest.mark.parametrize(
    "text",
    [
        limit("{fill_interval: {seconds: 60, nanos: 1}, quota: 1}"),
        limit('{fill_interval: {seconds: "60"}, quota: 1}'),
        limit("{fill_interval: 1m30s, quota: 1, status: null}"),
        limit("{fill_interval: +1.5s, quota: 1, response_headers_to_add: {a: true, b: 010}}"),
        breaker(BREAKER.replace("}", ", custom_response: {header_to_add: {x: 1.5}}}")),
        destination("{loadBalancer: {consistentHash: {minimumRingSize: '1024'}}}"),
        quota(
            "bucket_capacity: 1\nfill_amount: 1\nrate_limiter: {interval: 1s}\n"
            "scheduler: {denied_response_status_code: '429'}\n"
        ),
        quota(
            "bucket_capacity: 1\nfill_amount: 1\nrate_limiter: {interval: 1s}\n"
            "scheduler: {denied_response_status_code: TooManyRequests, workloads: null}\n"
        ),
        quota(
            "bucket_capacity: 1\nfill_amount: 1\nrate_limiter: {interval: 1s}\n"
            "selectors: [{label_matcher: {expression: {not: {all: {of: [{label_exists: a}]}}}}}]\n"
        ),
        destination("{connectionPool: {tcp: {idleTimeout: 0s}}}"),
        destination(
            "{loadBalancer: {simple: RANDOM}}",
            "subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]\n",
        ),
    ],
)
def test_every_spelling_that_loads_is_valid(text: str) -> None:
    assert manifest.check(text).errors == ()
    assert valid(text)


@pytest.mark.parametrize(
    "text",
    [
        limit("{fill_interval: {seconds: 60, minutes: 1}, quota: 1}"),
        limit("{fill_interval: 60, quota: 1}"),
        limit("{fill_interval: 1x, quota: 1}"),
        limit("{fill_interval: -1s, quota: 1}"),
        limit("{fill_interval: 1s, quota: -1}"),
        limit("{fill_interval: 1s, quota: 1.5}"),
        limit("{fill_interval: 1s, quota: '1'}"),
        limit("{fill_interval: 1s, quota: 1, status: 600}"),
        limit("{fill_interval: 1s, quota: 1, custom_response_body: ''}"),
        limit("{fill_interval: 1s, quota: 1, response_headers_to_add: {a: null}}"),
        limit("{fill_interval: null, quota: 1}"),
        limit("{quota: 1}"),
        limit("{fill_interval: 1s, quota: 1, statsu: 429}"),
        breaker("{}"),
        destination("{loadBalancer: {simple: ROUNDROBIN}}"),
        destination("{loadBalancer: {consistentHash: {minimumRingSize: many}}}"),
        destination(
            "{loadBalancer: {simple: RANDOM}}",
            "subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: RANDOMLY}}}]\n",
        ),
        quota(
            "bucket_capacity: 1\nfill_amount: 1\nrate_limiter: {interval: 1s}\n"
            "selectors: [{label_matcher: {expression: {not: {all: {fo: []}}}}}]\n"
        ),
        quota(
            "bucket_capacity: 1\nfill_amount: 1\nrate_limiter: {interval: 1s}\n"
            "scheduler: {denied_response_status_code: TooMany}\n"
        ),
    ],
)
def test_what_is_not_valid_does_not_load(text: str) -> None:
    assert not valid(text)
    assert manifest.check(text).errors


def at(found: dict[str, Any], *path: str) -> dict[str, Any]:
    for name in path:
        found = found["items"] if name == "[]" else found["properties"][name]
    return found


def test_an_editor_is_told_what_a_field_does() -> None:
    found = DESCRIBED["ASMLocalRateLimiter"].schema()
    fields = at(found, "spec", "configs", "[]", "limit")["properties"]
    assert fields["fill_interval"]["description"] == "duration, or {seconds, nanos}, from 50ms"
    assert at(found, "spec", "configs", "[]", "distinct")["description"] == (
        "any; warned: has no effect in this version: one bucket serves all values"
    )
    assert fields["status"]["default"] == 429
    old = fields["response_header_to_add"]
    assert old["deprecated"] is True
    assert "deprecated: write response_headers_to_add" in old["description"]
    assert at(found, "status")["description"] == "any; ignored"
    outlier = at(
        DESCRIBED["DestinationRule"].schema()["$defs"]["trafficPolicy"], "outlierDetection"
    )
    assert at(outlier, "interval")["default"] == "10s"


def test_every_deprecated_field_names_one_that_is_there() -> None:
    for kind in DESCRIBED.values():
        rows = list(kind.table.rows(""))
        known = {path for path, _, _ in rows}
        for path, field, _ in rows:
            if field.instead:
                assert f"{path.rpartition('.')[0]}.{field.instead}" in known


def test_tables_that_contain_themselves_are_written_once() -> None:
    found = DESCRIBED["QuotaSchedulingPolicy"].schema()
    assert set(found["$defs"]) == {"expression"}
    assert "trafficPolicy" in DESCRIBED["DestinationRule"].schema()["$defs"]
    assert "$defs" not in DESCRIBED["ASMLocalRateLimiter"].schema()


def test_any_table_has_a_schema() -> None:
    def again() -> Object:
        return table

    inner = Ref(again, name="as table")
    table = Object(
        (
            Field("a", TEXT, required=True),
            Field("b", MapOf(UINT32, least=1)),
            Field("c", ListOf(inner, least=1, most=2), required=True),
            Field("d", inner, required=True),
        )
    )
    found = schema(table, "Table", {"kind": ["Table"], "a": ["x"]})
    assert found["required"] == ["kind", "a", "c", "d"]
    assert found["properties"]["a"] == {"enum": ["x"]}
    assert found["properties"]["c"]["maxItems"] == 2
    assert found["properties"]["d"] == {"$ref": "#/$defs/as table", "description": "as table"}
    assert found["$defs"]["as table"]["required"] == ["a", "c", "d"]


def test_a_type_that_nobody_can_describe_is_a_mistake_of_ours() -> None:
    class Odd:
        name, bounds = "odd", ""

        def read(self, *_: Any) -> None:
            return None

    with pytest.raises(TypeError, match="Odd must say in `forms`"):
        schema(Object((Field("x", Odd()),)), "T")


# -- the command ---------------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["schema", *arguments], env={"COLUMNS": "100"})


def test_kinds_are_listed() -> None:
    result = run()
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == (
        "ASMLocalRateLimiter (istio.alibabacloud.com/v1, v1beta1)"
    )
    assert len(result.output.splitlines()) == len(DESCRIBED)


def test_one_is_printed() -> None:
    result = run("DestinationRule")
    assert json.loads(result.output) == DESCRIBED["DestinationRule"].schema()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("destinationrule", "did you mean DestinationRule?"),
        ("DestinationRul", "did you mean DestinationRule?"),
        ("Deployment", "there are ASMCircuitBreaker, ASMLocalRateLimiter,"),
    ],
)
def test_an_unknown_kind_is_refused(kind: str, said: str) -> None:
    result = run(kind)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_files_have_the_names_that_others_look_for(tmp_path: Path) -> None:
    result = run("--output", str(tmp_path))
    assert result.exit_code == 0
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json"))
    assert found == [
        "istio.alibabacloud.com/asmcircuitbreaker_v1.json",
        "istio.alibabacloud.com/asmcircuitbreaker_v1beta1.json",
        "istio.alibabacloud.com/asmlocalratelimiter_v1.json",
        "istio.alibabacloud.com/asmlocalratelimiter_v1beta1.json",
        "istio.alibabacloud.com/averagelatencyschedulingpolicy_v1.json",
        "istio.alibabacloud.com/concurrencylimitingpolicy_v1.json",
        "istio.alibabacloud.com/concurrencyschedulingpolicy_v1.json",
        "istio.alibabacloud.com/loadrampingpolicy_v1.json",
        "istio.alibabacloud.com/quotaschedulingpolicy_v1.json",
        "istio.alibabacloud.com/ratelimitingpolicy_v1.json",
        "networking.istio.io/destinationrule_v1.json",
        "networking.istio.io/destinationrule_v1alpha3.json",
        "networking.istio.io/destinationrule_v1beta1.json",
        "networking.istio.io/serviceentry_v1.json",
        "networking.istio.io/serviceentry_v1alpha3.json",
        "networking.istio.io/serviceentry_v1beta1.json",
        "trafficcore/scenario_v1.json",
    ]
    one = json.loads((tmp_path / found[1]).read_text("utf-8"))
    assert one["properties"]["apiVersion"] == {"enum": ["istio.alibabacloud.com/v1beta1"]}
    assert len(result.output.splitlines()) == len(found)


def test_one_kind_alone_is_written(tmp_path: Path) -> None:
    assert run("QuotaSchedulingPolicy", "--output", str(tmp_path)).exit_code == 0
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_kinds_are_those_of_the_loader() -> None:
    (one, *_), *_ = (list(file_names(kind)) for kind in kinds().values())
    assert one[0] == "istio.alibabacloud.com/asmlocalratelimiter_v1.json"
    assert all(isinstance(kind, Described) for kind in kinds().values())
