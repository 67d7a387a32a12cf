"""Scenarios as tests: what fails is told with its verdicts and its timeline."""

from pathlib import Path

import pytest

from support.simulation import scenario_text
from trafficcore.errors import ConfigError, ManifestError
from trafficcore.testing import check_scenario, check_scenarios, expect

EXAMPLES = Path(__file__).parents[2] / "examples"
LOADS = "duration: 10s\nloads: [{name: a, url: 'http://x/', rate: 1}]\n"


def text(*sentences, name="t"):
    written = scenario_text(LOADS + f"expect: {list(sentences)}\n")
    return written.replace("name: t", f"name: {name}", 1)


def test_one_that_holds_returns_its_result():
    result = check_scenario(EXAMPLES / "quota" / "scenario.yaml")
    assert result.classes["guest"].codes == {200: 70}
    assert check_scenario(str(EXAMPLES / "throttle" / "scenario.yaml")).holds


def test_one_that_fails_tells_which_and_what_happened(tmp_path):
    scenario = (EXAMPLES / "breaker" / "scenario.yaml").read_text("utf-8")
    (tmp_path / "policy.yaml").write_text((EXAMPLES / "breaker" / "policy.yaml").read_text("utf-8"))
    (tmp_path / "scenario.yaml").write_text(scenario.replace("trips is 1", "trips is 2"))
    with pytest.raises(AssertionError) as error:
        check_scenario(tmp_path / "scenario.yaml")
    told = str(error.value).splitlines()
    assert told[0] == "slow-breaker: 1 of 6 expectations fail"
    assert told[1] == "  FAILS  trips is 2  (1)"
    timeline = "\n".join(told[told.index("what happened:") :])
    assert "closed to open by slow" in timeline
    assert "open to closed" in timeline
    assert "  holds  no 498 before 15 s  (0)" in told
    assert any(line.startswith("one-by-one: ") for line in told)


def test_what_expects_nothing_is_no_test():
    with pytest.raises(ConfigError, match="'t' expects nothing"):
        check_scenario(text())


def test_one_scenario_is_one():
    with pytest.raises(ConfigError, match="one scenario was expected, not 2"):
        check_scenario(text("no 5xx") + "---\n" + text("no 5xx"))
    with pytest.raises(ConfigError, match="one scenario was expected, not 0"):
        check_scenario("kind: Other\n")


def test_a_fault_in_a_file_is_a_manifest_error():
    with pytest.raises(ManifestError, match="did you mean"):
        check_scenario(text("no 5xx").replace("loads:", "load:"))


def test_a_folder_is_all_of_its_scenarios():
    results = check_scenarios(EXAMPLES)
    assert list(results) == [
        "slow-breaker",
        "discovery",
        "ejection-and-zones",
        "priority",
        "load-ramp",
        "shed-by-latency",
        "throttle",
    ]
    assert all(result.holds for result in results.values())


def test_scenarios_of_one_name_are_all_there(tmp_path):
    (tmp_path / "a.yaml").write_text(text("no 5xx"))
    (tmp_path / "b.yaml").write_text(text("no 5xx"))
    assert list(check_scenarios(tmp_path)) == ["t", f"t ({tmp_path / 'b.yaml'})"]


def test_a_folder_without_a_scenario_is_no_test(tmp_path):
    with pytest.raises(ConfigError, match="no scenario found"):
        check_scenarios(tmp_path)


def test_the_first_that_fails_in_a_folder_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text(text("no 5xx", name="fine"))
    (tmp_path / "b.yaml").write_text(text("no 2xx", name="not-fine"))
    with pytest.raises(AssertionError, match="not-fine: 1 of 1 expectations fail"):
        check_scenarios(tmp_path)


def test_a_run_may_be_held_to_more_than_its_file_says():
    result = check_scenario(text("no 5xx"))
    expect(result, "200 of a is 10", "p99 below 2 ms")
    with pytest.raises(AssertionError) as error:
        expect(result, "200 of a is 10", "200 of a is 11", "no 2xx")
    told = str(error.value)
    assert (
        "t: 2 of 3 expectations fail\n  FAILS  200 of a is 11  (10)\n  FAILS  no 2xx  (10)" in told
    )


def test_a_sentence_that_says_nothing_is_no_expectation():
    result = check_scenario(text("no 5xx"))
    for sentences, fault in (
        ((), "at least one sentence"),
        (("nonsense",), "must have share"),
        (("no 5xx of b",), "names the class 'b'"),
    ):
        with pytest.raises(ConfigError, match=fault):
            expect(result, *sentences)
