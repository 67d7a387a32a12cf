"""What the command prints, for people, for programs and for GitHub; and what it exits with."""

import json

import pytest
from click.testing import CliRunner

from judge.helpers import whole
from trafficcore import manifest
from trafficcore.cli import cli
from trafficcore.judge import FORMATS, judge, write_report
from trafficcore.manifest.check import say
from trafficcore.manifest.codes import CODES

ZERO = "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit: {fill_interval: 1s, quota: 0}\n"
FINE = ZERO.replace("quota: 0", "quota: 5")
POD = "kind: Pod\n"
SWAPPED = ZERO.replace("1s, quota: 0}", "2s, quota: 60}\n    match: {vhost: {name: web}}")
FAULT = ZERO.replace("quota: 0", "quota: sixty")


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(text, *options, code=0):
        (tmp_path / "a.yaml").write_text(whole(text), "utf-8")
        result = CliRunner().invoke(cli, ["check", "a.yaml", *options])
        assert result.exit_code == code, result.output
        return result.output.splitlines()

    return run


def test_a_clean_set_is_summed_up(check):
    assert check(FINE) == ["1 rule, 0 faults, 0 warnings, 0 notices"]


def test_one_problem_of_a_code_says_all_in_its_line(check):
    at = "(a.yaml:6:39 spec.configs[0].limit.quota)"
    assert check(ZERO) == [
        f"warning TC102 refuses-all: 0 refuses every request {at}",
        "1 rule, 0 faults, 1 warning, 0 notices",
    ]


def test_several_of_a_code_are_one_line_with_the_first_place(check):
    web = "    match: {vhost: {name: web}}\n"
    two = ZERO + "  - limit: {fill_interval: 1s, quota: 0}\n" + web
    assert check(two)[0] == (
        "warning TC102 refuses-all: 0 refuses every request, 2 times "
        "(first a.yaml:6:39 spec.configs[0].limit.quota)"
    )
    assert check(f"{POD}---\n{POD.replace('Pod', 'Node')}")[0] == (
        "notice TC904 skipped: A document was skipped, 2 times (first a.yaml:3:7)"
    )


def test_all_of_them_are_listed_on_demand(check):
    two = SWAPPED + "  - limit: {fill_interval: 2s, quota: 60}\n"
    said = "60 each 2s is 30 a second; if 2 each 60s is meant, swap the two numbers"
    assert check(two, "-v")[:3] == [
        "warning TC101 swapped-numbers: quota and fill_interval look swapped, 2 times",
        f"  a.yaml:6:39 spec.configs[0].limit.quota: {said} [TC101]",
        f"  a.yaml:8:39 spec.configs[1].limit.quota: {said} [TC101]",
    ]


def test_warnings_come_before_notices_and_faults_before_both(check):
    lines = check(f"{POD}---\n{SWAPPED}---\n{ZERO}---\n{FAULT}", code=1)
    assert [line.split(" ")[0] for line in lines] == [
        "a.yaml:25:39", "warning", "warning", "notice", "1"
    ]  # fmt: skip
    assert [line.split(" ")[1] for line in lines[1:3]] == ["TC101", "TC102"]
    assert lines[-1] == "1 fault, 2 warnings, 1 notice"


def test_a_set_with_a_fault_is_not_judged_across_documents(check):
    twice = f"{ZERO}  - limit: {{fill_interval: 1s, quota: 5}}\n"
    assert any("TC107" in line for line in check(twice))
    assert not any("TC107" in line for line in check(f"{twice}---\n{FAULT}", code=1))


def test_exit_codes(check):
    check(ZERO, code=0)
    check(ZERO, "--strict", code=1)
    check(POD, "--strict", code=0)
    check(FAULT, code=1)
    quiet = ZERO.rstrip() + "  # trafficcore: ignore TC102\n"
    assert check(quiet, "--strict")[-1] == "1 rule, 0 faults, 0 warnings, 0 notices, 1 silenced"


def test_json_holds_everything(check):
    silenced = "  # trafficcore: ignore TC102\n"
    text = "---\n".join((POD, SWAPPED, ZERO.rstrip() + silenced))
    found = json.loads("\n".join(check(text, "--format", "json")))
    assert found["faults"] == []
    assert found["warnings"] == [
        {"code": "TC101", "name": "swapped-numbers", "severity": "warning", "file": "a.yaml",
         "line": 10, "column": 39, "path": "spec.configs[0].limit.quota", "value": "60",
         "message": "60 each 2s is 30 a second; if 2 each 60s is meant, swap the two numbers"}
    ]  # fmt: skip
    assert [it["code"] for it in found["notices"]] == ["TC904"]
    assert [it["code"] for it in found["silenced"]] == ["TC102"]
    assert found["counts"] == {
        "rules": 2, "faults": 0, "warnings": 1, "notices": 1, "silenced": 1
    }  # fmt: skip


def test_json_of_faults(check):
    found = json.loads("\n".join(check(FAULT, "--format", "json", code=1)))
    assert [it["code"] for it in found["faults"]] == ["TC004"]
    assert found["faults"][0]["severity"] == "error"
    assert found["counts"]["rules"] == 0


def test_annotations_of_github(check):
    lines = check(f"{POD}---\n{ZERO}---\n{FAULT}", "--format", "github", code=1)
    quota = "spec.configs[0].limit.quota"
    error, warning, notice = "::error file=a.yaml", "::warning file=a.yaml", "::notice file=a.yaml"
    place = "line=17,col=39,title=TC004 wrong-value"
    assert lines == [
        f"{error},{place}::{quota}: must be a whole number from 0, not 'sixty'",
        f"{warning},line=10,col=39,title=TC102 refuses-all::{quota}: 0 refuses every request",
        f"{notice},line=3,col=7,title=TC904 skipped::kind Pod is no traffic policy; skipped",
        "1 fault, 1 warning, 1 notice",
    ]


def test_annotations_are_escaped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "50%,a:b.yaml"
    (tmp_path / name).write_text("kind: '100%'\n")
    result = CliRunner().invoke(cli, ["check", name, "--format", "github"])
    assert result.output.startswith("::notice file=50%25%2Ca%3Ab.yaml,line=1,col=7,title=TC904 ")
    assert "kind '100%25' is no traffic policy" in result.output
    result = CliRunner().invoke(cli, ["check", "gone.yaml", "--format", "github"])
    assert result.output.startswith("::error file=gone.yaml,title=TC001 cannot-be-read::cannot")


@pytest.mark.parametrize("form", FORMATS)
def test_a_terminal_that_knows_ascii_alone_gets_escapes(tmp_path, form):
    file = tmp_path / "ä.yaml"
    file.write_text("kind: 'B\u2028ü'\n", "utf-8")
    lines = []

    def write(line):
        lines.append(line.encode("ascii").decode())

    for line in write_report(judge(manifest.check(file)), form):
        say(line, write)
    assert any(name in "".join(lines) for name in ("\\xe4.yaml", "\\u00e4.yaml"))
    assert all(line.isprintable() for line in lines)


def test_hosts_are_given_for_all_and_by_name(check):
    rule = "kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy: {outlierDetection: {}}\n"

    def told(*options):
        return [line.split(" ")[1] for line in check(rule, *options)[:-1] if "TC306" not in line]

    assert told() == ["TC301"]
    assert told("--hosts", "3") == ["TC302"]
    assert told("--hosts", "10") == []
    assert told("--hosts", "10", "--hosts", "web=1") == ["TC304"]
    assert told("--hosts", "web.shop.svc.cluster.local=12") == []


@pytest.mark.parametrize("value", ["x", "0", "web=", "=3", "web=-1", "web=0"])
def test_a_number_of_hosts_that_is_none_is_misuse(check, value):
    assert any("N or NAME=N" in line for line in check(FINE, "--hosts", value, code=2))


def test_a_process_that_is_described_leaves_out_the_rules_of_others(check):
    mine = ZERO.replace("spec:", "spec:\n  workloadSelector: {labels: {app: a}}")
    both = "---\n".join(mine.replace("quota: 0", f"quota: {quota}") for quota in (5, 9))

    def told(*options):
        return any("TC107" in line for line in check(both, *options))

    assert told()
    assert told("--label", "app=a", "--namespace", "shop")
    assert told("--stands-for", "web=web.example.com")
    assert not told("--label", "app=b", "--namespace", "shop")
    assert not told("--namespace", "bank")
    assert not told("--gateway")


@pytest.mark.parametrize("code", sorted(CODES))
def test_why_explains_each_code(code):
    result = CliRunner().invoke(cli, ["check", "--why", code.lower()])
    assert result.exit_code == 0
    assert result.output.startswith(f"{code} {CODES[code].name} ({CODES[code].severity}): ")
    assert CODES[code].instead in result.output


def test_why_of_no_code_is_misuse():
    result = CliRunner().invoke(cli, ["check", "--why", "TC999"])
    assert result.exit_code == 2
    assert "there is no code 'TC999'" in result.output


def test_without_a_path_the_command_says_so():
    assert CliRunner().invoke(cli, ["check"]).exit_code == 2
