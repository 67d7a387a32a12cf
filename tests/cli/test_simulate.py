"""`trafficcore simulate`: what it prints, what it writes, and how it refuses."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from support.simulation import limit, scenario_text
from trafficcore.cli import cli

EXAMPLES = Path(__file__).parents[2] / "examples"
QUOTA = str(EXAMPLES / "quota" / "scenario.yaml")
LOADS = "duration: 10s\nloads: [{name: a, url: 'http://x/', rate: 1}]\n"


def run(*arguments):
    result = CliRunner().invoke(cli, ["simulate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def faults(*arguments):
    """The faults of a run that is refused: each in a line of its own, nothing on the other side."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines
    assert all(line.strip() and "Traceback" not in line for line in lines)
    return lines


@pytest.fixture
def policy(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(limit(5))
    return file


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(scenario_text(LOADS + "expect: [200 is 10]\n"))
    return file


def test_a_scenario_is_run_and_shown():
    result = run(QUOTA)
    assert result.exit_code == 0
    assert "priority: 33.002 s of virtual time, seed 1" in result.stdout
    assert "holds  200 of guest is 70  (70)" in result.stdout
    assert "the scenario, as a file" not in result.stdout
    assert result.stderr == ""


def test_an_expectation_that_fails_is_exit_code_1(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(scenario_text(LOADS + "expect: [200 is 11]\n"))
    result = run(file)
    assert result.exit_code == 1
    assert "FAILS  200 is 11  (10)" in result.stdout


def test_the_command_of_the_issue_shows_and_prints_the_scenario_that_it_used(policy):
    result = run(
        policy, "--host", "reviews", "--endpoints", 6, "--zones", 3, "--rate", 200,
        "--fail", "1@10s..60s",
    )  # fmt: skip
    assert result.exit_code == 0
    assert "the scenario, as a file:\n" in result.stdout
    text = result.stdout.partition("the scenario, as a file:\n")[2]
    for part in ("url: http://reviews.default.svc.cluster.local/", "duration: 90s", "until: 60s"):
        assert part in text
    assert text.count("address:") == 6


def test_the_scenario_that_is_printed_runs_to_the_same_result(policy, tmp_path):
    words = (policy, "--rate", 20, "--duration", "20s", "--seed", 3)
    printed = run(*words).stdout
    text = printed.partition("the scenario, as a file:\n")[2]
    file = tmp_path / "again.yaml"
    file.write_text("\n".join(line[2:] for line in text.splitlines()))
    assert run(file).stdout.strip() == printed.partition("the scenario, as a file:\n")[0].strip()


def test_a_saved_scenario_finds_its_manifests_from_elsewhere(policy, tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    saved = folder / "saved.yaml"
    first = run(policy, "--duration", "5s", "--save", saved, "--format", "json")
    again = run(saved, "--format", "json")
    assert json.loads(first.stdout)["classes"] == json.loads(again.stdout)["classes"]
    assert "../policy.yaml" in saved.read_text("utf-8")
    assert json.loads(again.stdout)["snapshot"]["rules"][0]["hits"] > 400


def test_a_folder_of_manifests_may_hold_what_is_saved(policy, tmp_path):
    folder = policy.parent
    saved = folder / "saved.yaml"
    first = run(folder, "--duration", "5s", "--save", saved, "--format", "json")
    again = run(saved, "--format", "json")
    assert first.exit_code == again.exit_code == 0
    assert json.loads(first.stdout)["classes"] == json.loads(again.stdout)["classes"]


def test_words_reach_the_scenario(policy):
    result = run(
        policy, "--clients", 3, "--latency", "50ms", "--capacity", 2, "--header", "X-A:  b c ",
        "--path", "/p", "--outbound", "--label", "app=web", "--namespace", "mine", "--gateway",
        "--expect", "200 at least 1", "--duration", "2s",
    )  # fmt: skip
    assert result.exit_code == 0
    for part in (
        "clients: 3", "latency: 50ms", "capacity: 2", "x-a: b c", "svc.cluster.local/p",
        "direction: outbound", "app: web", "namespace: mine", "gateway: true",
        "holds  200 at least 1", "duration: 2s",
    ):  # fmt: skip
        assert part in result.stdout
    assert run(policy, "--expect", "no 2xx", "--duration", "2s").exit_code == 1


def test_json_is_one_document_or_a_list(scenario, tmp_path):
    one = json.loads(run(scenario, "--format", "json").stdout)
    assert one["classes"]["a"]["codes"] == {"200": 10}
    assert one["expectations"][0]["holds"] is True
    other = tmp_path / "other.yaml"
    other.write_text(scenario_text(LOADS))
    both = json.loads(run(scenario, other, "--format", "json").stdout)
    assert len(both) == 2


@pytest.mark.parametrize("name", ["throttle", "breaker", "outlier", "quota"])
@pytest.mark.parametrize("form", ["json", "fortio"])
def test_every_example_is_strict_json(name, form):
    def refuse(text):
        raise ValueError(text)

    text = run(EXAMPLES / name / "scenario.yaml", "--format", form).stdout
    assert json.loads(text, parse_constant=refuse)


def test_fortio_is_a_document_for_each_class():
    shown = json.loads(run(QUOTA, "--format", "fortio").stdout)
    assert [row["Labels"] for row in shown] == ["priority guest", "priority subscriber"]
    assert shown[0]["RetCodes"] == {"200": 70}


def test_another_seed_may_be_asked_for(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(scenario_text(LOADS.replace("rate: 1", "rate: 5, arrivals: poisson")))
    first, again, other = (
        run(file, "--seed", seed, "--format", "json").stdout for seed in (1, 1, 2)
    )
    assert first == again != other
    assert json.loads(other)["seed"] == 2


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_is_drawn_for_each_scenario(scenario, tmp_path, suffix):
    assert run(scenario, "--picture", tmp_path / f"x{suffix}").exit_code == 0
    assert (tmp_path / f"x{suffix}").stat().st_size > 1000
    other = tmp_path / "other.yaml"
    other.write_text(scenario_text(LOADS))
    run(scenario, other, "--picture", tmp_path / f"y{suffix}")
    assert (tmp_path / f"y-2{suffix}").exists()


HOSTILE = [
    "kind: Scenario\nspec: [",
    "kind: Scenario\nspec: {loads: &a [*a]}",
    "kind: Scenario\nspec: !!python/name:os.system x\n",
    "kind: Scenario\nkind: Scenario\nspec: {}\n",
    'kind: Scenario\nspec: {loads: [{name: "\\e[2J\\n", url: 5, rte: 1}]}\n',
    "\x00\x01\x02",
    "kind: Scenario\nspec: " + "{a: " * 300 + "\n",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_are_faults_a_line_each(tmp_path, text):
    file = tmp_path / "hostile.yaml"
    file.write_text(text)
    for line in faults(file):
        assert line.isprintable()


def test_what_is_not_there_or_not_text_is_a_fault(tmp_path):
    assert "no such file" in faults(tmp_path / "missing.yaml")[0]
    (line,) = faults(tmp_path / "two\nlines\x1b[2J.yaml")
    assert "two\\nlines\\x1b[2J.yaml: cannot be read" in line
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in faults(binary)[0]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--fail", "1"), "--fail must be WHO@FROM..UNTIL[=WHAT]"),
        (("--fail", "1@x..y"), "--fail must have times such as 10s"),
        (("--fail", "9@1s..2s"), "'9' is no endpoint: there are 1 to 3"),
        (("--fail", "zone-3@1s..2s"), "no endpoint is in 'region/zone-3'"),
        (("--latency", "fast"), "latency: must be a duration"),
        (("--duration", "0s"), "duration: must be a duration above 0s"),
        (("--expect", "nonsense"), "expect[0]: must have share"),
        (("--expect", "no 5xx of b"), "names the class 'b'"),
        (("--clients", "5", "--latency", "0s"), "never ends"),
        (("--rate", "1000000", "--duration", "1h"), "comes to 3.6e+09 calls"),
        (("--host", "a b"), "url: must be a URL"),
        (("--picture", "x.jpg"), "a picture ends in .png, .svg, .pdf, not '.jpg'"),
        (("--save", "no/such/folder/x.yaml"), "No such file or directory"),
    ],
)
def test_words_that_make_no_scenario_are_faults(policy, words, fault):
    assert any(fault in line for line in faults(policy, *words))


def test_a_faulty_scenario_is_not_saved(policy, tmp_path):
    faults(policy, "--latency", "fast", "--save", tmp_path / "saved.yaml")
    assert not (tmp_path / "saved.yaml").exists()


def test_a_wrong_suffix_is_told_before_anything_is_run(scenario, monkeypatch):
    monkeypatch.setattr("trafficcore.sim.simulate", lambda *_, **__: pytest.fail("it was run"))
    assert "a picture ends in" in faults(scenario, "--picture", "x.jpg")[0]


def test_a_picture_that_cannot_be_written_is_a_fault(scenario, tmp_path):
    assert faults(scenario, "--picture", tmp_path / "no" / "x.png")


def test_a_picture_without_matplotlib_names_the_extra(scenario, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (line,) = faults(scenario, "--picture", tmp_path / "x.png")
    assert "pip install 'trafficcore[plot]'" in line


def test_manifests_with_faults_are_told_all_of_them(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(limit(5).replace("quota:", "quotta:").replace("configs:", "configs:\n  - 5"))
    assert len(faults(file)) >= 2
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(scenario_text(f"manifests: [policy.yaml, missing.yaml]\n{LOADS}"))
    lines = faults(scenario)
    assert any("did you mean 'quota'" in line for line in lines)
    assert any("missing.yaml: cannot be read" in line for line in lines)


@pytest.mark.parametrize(
    "words",
    [("--rate", "5"), ("--fail", "1@1s..2s"), ("--expect", "no 5xx"), ("--save", "x.yaml"),
     ("--duration", "5s"), ("--gateway",), ("--inbound",), ("--label", "a=b"), ("--host", "x")],
)  # fmt: skip
def test_words_beside_a_scenario_are_refused_and_not_passed_over(scenario, words):
    (line,) = faults(scenario, *words)
    assert line == f"{words[0]} is for manifests: a scenario file says it all itself"


def test_manifests_beside_a_scenario_are_refused_and_not_passed_over(scenario, policy):
    (line,) = faults(scenario, policy)
    assert line.startswith(f"{policy} holds no scenario")


@pytest.mark.parametrize(
    "words",
    [("--endpoints", "0"), ("--zones", "x"), ("--rate", "-1"), ("--clients", "0"),
     ("--format", "xml"), ("--header", "plain"), ("--label", "plain"), ("--seed", "-1"),
     ("--nope",)],
)  # fmt: skip
def test_options_that_cannot_be_are_told_by_the_command_line(policy, words):
    result = run(policy, *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_run_of_nothing_but_a_path_is_refused():
    assert run().exit_code == 2


def test_the_same_command_prints_the_same(scenario):
    assert run(scenario).stdout == run(scenario).stdout
