"""`trafficcore explain` from the outside: options, forms, faults, exit codes."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from explain.helpers import EXAMPLES
from trafficcore.cli import cli
from trafficcore.engine import Facts

QUOTA = EXAMPLES / "quota" / "policy.yaml"
GATEWAY = ("--gateway", "--namespace", "istio-system", "--label", "istio=ingressgateway")
SERVICE = "http://httpbin-00001-private.default"


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(cli, ["explain", *map(str, arguments)], env={"COLUMNS": "100"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def lines(*arguments: str | Path) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def data(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--format", "json").output)


def test_rules_stand_under_their_place_and_where_they_apply() -> None:
    here = lines(EXAMPLES / "throttle", *GATEWAY)
    assert here[0].startswith("ASMLocalRateLimiter istio-system/helloworld helloworld-per-minute (")
    assert here[0].endswith("policy.yaml:16)")
    assert here[1] == "  applies to inbound helloworld-go.default.svc.cluster.local:80"
    assert "  2 requests at once, then one each 30 s." in here
    assert [line[:1] for line in lines(EXAMPLES)].count("") == 7
    assert lines(EXAMPLES / "throttle")[1] == "  not here: for gateways; this process is none"


def test_notices_stand_at_the_end(tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text(QUOTA.read_text("utf-8") + "    alerter: {alert_name: x}\n", "utf-8")
    assert lines(odd)[-1].startswith(
        "note: field spec.quota_scheduler.alerter has no effect in process"
    )
    assert len(data(odd)["notices"]) == 1


def test_a_request_by_its_url_and_headers() -> None:
    found = lines(QUOTA, "--request", f"post {SERVICE}/a%20b?c=d", "--header", "User_Type: guest")
    assert found[0] == f"POST {SERVICE}/a b?c=d"
    assert found[2].startswith("1st, quota: QuotaSchedulingPolicy istio-system/quotascheduling (")
    assert found[3].startswith("  Of the workload guest, as http.request.header.user_type is guest")
    label = ("--request-label", "http.request.header.user_type=subscriber")
    labelled = lines(QUOTA, "--request", f"{SERVICE}/", "--header", "user_type:guest", *label)
    assert labelled[3].startswith("  Of the workload subscriber")


def test_a_request_that_no_rule_acts_on() -> None:
    found = lines(EXAMPLES, "--request", "GET http://elsewhere/")
    assert found[:4] == ["GET http://elsewhere/", "", "No rule acts on it.", "It is admitted."]
    assert found[5] == "8 rules do not act:"
    assert lines(QUOTA, "--request", "GET http://elsewhere/")[5] == "1 rule does not act:"
    gone = ("--outbound", "--hosts", "elsewhere=0")
    assert lines(QUOTA, "--request", "GET http://elsewhere/", *gone)[3] == (
        "It is refused 503, by no rule: there is no endpoint."
    )


def test_a_call_that_goes_out_needs_hosts_made_up() -> None:
    found = lines(EXAMPLES, "--request", f"GET {SERVICE}/", "--outbound", "--hosts", "3")
    assert found[2].startswith("1st, endpoint: DestinationRule default/httpbin (")
    assert "one of 3 endpoints" in found[3]


def test_a_request_at_a_control_point_meets_no_rule_of_a_direction() -> None:
    place = ("--request", f"GET {SERVICE}/", "--control-point", "checkout")
    found = lines(QUOTA, *place)
    assert found[2] == "No rule acts on it."
    assert found[-1].endswith("; this request is at control point checkout")
    both = run(QUOTA, *place, "--outbound")
    assert both.exit_code == 2
    assert "--outbound and --control-point exclude each other" in both.output


def test_the_host_header_and_the_peers_address_are_the_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Facts] = []
    monkeypatch.setattr(
        "trafficcore.explain.explain_request",
        lambda _policy, _who, _hosts, facts: seen.append(facts) or sys.exit(0),
    )
    run(QUOTA, "--request", "http://a/", "--header", "Host: b", "--address", "10.0.0.1")
    (facts,) = seen
    assert (facts.method, facts.host, facts.path, facts.address) == ("GET", "b", "/", "10.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--request", "GET"), "must be a method and a URL"),
        (("--request", "GET http://a/ b"), "must be a method and a URL"),
        (("--request", "GET http://[a/"), "Invalid IPv6 URL"),
        (("--header", "x"), "must be NAME: VALUE"),
        (("--hosts", "many"), "must be N or NAME=N"),
        (("--hosts", "=3"), "must be N or NAME=N"),
        (("--table", "--request", "GET http://a/"), "exclude each other"),
        (("--table", "--against", "."), "exclude each other"),
    ],
)
def test_words_that_mean_nothing_are_refused(arguments: tuple[str, ...], said: str) -> None:
    result = run(QUOTA, *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_a_table_is_plain_where_nobody_draws_it() -> None:
    found = lines(EXAMPLES, "--table", "--hosts", "0", "--hosts", "elsewhere=5")
    assert found[0] == "1 of 2 rules never ejects with fewer than 2 hosts"
    assert found[1] == "2 of 2 rules eject nobody with the hosts given"
    assert found[2].split() == ["RULE", "AT", "MOST", "AFTER", "THEN", "HERE"]
    assert len(found) == 11
    rows = data(EXAMPLES, "--table", "--hosts", "10")
    assert rows["sums"] == ["1 of 2 rules never ejects with fewer than 2 hosts"]
    assert [row["at_most"] for row in rows["rows"] if row["rule"].startswith("Dest")] == [
        "5 of 10 hosts",
        "10 of 10 hosts",
    ]


def test_a_table_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stdout", out)
    cli.main(["explain", str(EXAMPLES), "--table"], standalone_mode=False)
    assert "┏━" in out.getvalue()
    assert "DestinationRule default/httpbin" in out.getvalue()


def test_what_changed_and_its_exit_code(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(QUOTA.read_text("utf-8").replace("priority: 200", "priority: 100"), "utf-8")
    found = lines(QUOTA, "--against", old)
    assert found[0].startswith("changed: QuotaSchedulingPolicy istio-system/quotascheduling (")
    assert found[1] == "  guest share 33 % to 20 %"
    assert run(QUOTA, "--against", old, "--exit-code").exit_code == 1
    assert lines(QUOTA, "--against", QUOTA, "--exit-code") == ["Nothing changed in meaning."]
    changes = data(QUOTA, "--against", old)["changes"]
    assert changes[0]["differences"][0] == {"key": "guest share", "old": "33 %", "new": "20 %"}
    assert data(QUOTA, "--against", QUOTA) == {"changes": []}


def test_rules_that_came_and_went_are_spelt_out() -> None:
    both = lines(QUOTA, "--against", EXAMPLES / "throttle")
    assert both[0].startswith("added: QuotaSchedulingPolicy")
    assert "  10 requests at once, then 10 per second; past that they wait." in both
    gone = both.index("") + 1
    assert both[gone].startswith("removed: ASMLocalRateLimiter")
    assert "  2 requests at once, then one each 30 s." in both[gone:]


def test_everything_is_there_as_data() -> None:
    (rule,) = data(EXAMPLES / "throttle")["rules"]
    assert rule["kind"] == "ASMLocalRateLimiter"
    assert rule["applies"] is False
    burst = {"key": "burst", "value": "2", "text": "2 requests at once, then one each 30 s."}
    assert burst in rule["meanings"]
    found = data(EXAMPLES, "--request", f"GET {SERVICE}/")
    assert [step["stage"] for step in found["steps"]] == ["quota"]
    assert len(found["idle"]) == 7
    assert found["outcome"][0] == "It is admitted."


@pytest.mark.parametrize("against", [False, True])
def test_faults_are_printed_as_check_prints_them(tmp_path: Path, against: bool) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: ASMLocalRateLimiter\n", "utf-8")
    checked = CliRunner().invoke(cli, ["check", str(bad)])
    result = run(QUOTA, "--against", bad) if against else run(bad)
    assert result.exit_code == checked.exit_code == 1
    assert result.output == checked.output


def test_a_file_that_is_not_there_is_a_fault() -> None:
    result = run("missing.yaml")
    assert result.exit_code == 1
    assert result.output.startswith("missing.yaml: cannot be read")
