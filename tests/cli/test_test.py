"""`trafficcore test`: every scenario of a folder, and the three exit codes."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from support.simulation import limit, scenario_text
from trafficcore.cli import cli

EXAMPLES = Path(__file__).parents[2] / "examples"
LOADS = "duration: 10s\nmanifests: [limit.yaml]\nloads: [{name: a, url: WEB, rate: 10}]\n"


def run(*arguments):
    result = CliRunner().invoke(cli, ["test", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def write(tmp_path):
    (tmp_path / "limit.yaml").write_text(limit(5))

    def write(name, *sentences):
        spec = LOADS.replace("WEB", "'http://web.default.svc.cluster.local/'")
        text = scenario_text(f"{spec}expect: {list(sentences)}\n").replace("t}", f"{name}}}", 1)
        (tmp_path / f"{name}.yaml").write_text(text)

    return write


def test_the_examples_pass():
    result = run(EXAMPLES)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "7 passed, 0 failed"
    assert result.stdout.count("PASS  ") == 7


def test_one_that_fails_shows_what_happened_and_the_others_run(tmp_path, write):
    write("a-good", "429 at least 1")
    write("b-bad", "429 is 1", "no 5xx")
    write("c-good", "no 5xx")
    result = run(tmp_path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-1] == "2 passed, 1 failed"
    assert [line.split()[:2] for line in lines if line[0] != " "][:3] == [
        ["PASS", "a-good"], ["FAIL", "b-bad"], ["PASS", "c-good"],
    ]  # fmt: skip
    assert "      FAILS  429 is 1  (46)" in lines
    assert "      holds  no 5xx  (0)" in lines
    assert any("refused 1 (rate_limited)" in line for line in lines), "the timeline"
    assert sum("rate_limited" in line for line in lines) <= 3, "of the one that failed alone"


def test_one_that_expects_nothing_fails(tmp_path, write):
    write("idle")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "FAIL  idle" in result.stdout
    assert "      expects nothing" in result.stdout


def test_verbose_shows_the_whole_report(tmp_path, write):
    write("good", "no 5xx")
    assert "latency    mean" not in run(tmp_path).stdout
    assert "latency    mean" in run(tmp_path, "-v").stdout


def faults(*arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()


def test_a_folder_without_scenarios_is_a_fault(tmp_path):
    (tmp_path / "limit.yaml").write_text(limit(5))
    assert faults(tmp_path) == ["no scenario found: a scenario is a document of kind Scenario"]


def test_a_faulty_file_is_a_fault_and_nothing_is_run(tmp_path, write):
    write("good", "no 5xx")
    (tmp_path / "bad.yaml").write_text("kind: Scenario\nspec: {laods: [], expct: []}\n")
    lines = faults(tmp_path)
    assert len(lines) == 2
    assert all("did you mean" in line for line in lines)


def test_what_is_not_there_is_a_fault(tmp_path):
    assert "no such file" in faults(tmp_path / "missing")[0]
    assert run().exit_code == 2


def test_a_manifest_that_is_not_there_is_a_fault(tmp_path, write):
    write("good", "no 5xx")
    (tmp_path / "limit.yaml").unlink()
    assert any("limit.yaml: cannot be read" in line for line in faults(tmp_path))
