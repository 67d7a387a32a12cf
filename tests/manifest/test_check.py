"""What the command prints."""

import os
import sys

import pytest

from manifest.helpers import LIMIT, limit
from trafficcore.manifest import main_check


def run(*paths):
    lines = []
    return main_check(paths, lines.append), lines


def test_a_clean_set_prints_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text(limit(LIMIT))
    assert run(tmp_path) == (0, [])
    assert run(str(tmp_path), str(tmp_path / "a.yaml")) == (0, [])


def test_each_fault_is_a_line(tmp_path):
    (tmp_path / "a.yaml").write_text(limit("{fill_interval: 1, quota: sixty}"))
    file = f"{tmp_path}/a.yaml"
    assert run(file) == (1, [
        (f"{file}:8:28 spec.configs[0].limit.fill_interval: "
        "must be a duration with its unit, such as 1s, not '1'"),
        f"{file}:8:38 spec.configs[0].limit.quota: must be a whole number from 0, not 'sixty'",
    ])  # fmt: skip


def test_warnings_and_notices_are_marked_and_do_not_fail(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(limit("{fill_interval: 1s, quota: 0}") + "---\nkind: Pod\n")
    assert run(str(file)) == (0, [
        f"warning: {file}:8:39 spec.configs[0].limit.quota: 0 refuses every request",
        f"notice: {file}:10:7: kind Pod is no traffic policy; skipped",
    ])  # fmt: skip


def test_faults_come_before_warnings(tmp_path):
    (tmp_path / "a.yaml").write_text(limit("{fill_interval: 1s, quota: 0}"))
    (tmp_path / "b.yaml").write_text("{")
    code, lines = run(tmp_path)
    assert code == 1
    assert [line.startswith("warning: ") for line in lines] == [False, True]


def test_an_argument_is_always_a_path():
    code, lines = run("kind: List", "a\nb")
    assert code == 1
    assert lines == [
        "kind: List: cannot be read: no such file or directory",
        "a\\nb: cannot be read: no such file or directory",
    ]


def test_every_problem_is_one_line_whatever_the_file_holds(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        'kind: "a\\nb\\e[31m\\u2028"\n"x\\ny": 1\n---\n"a\\nb": 1\nkind: DestinationRule\n'
    )
    _, lines = run(file)
    assert len(lines) >= 3
    assert all(line.isprintable() for line in lines)


def test_a_terminal_that_knows_ascii_alone_gets_escapes(tmp_path):
    file = tmp_path / "ä.yaml"
    file.write_text("kind: Bücher\n")
    lines = []

    def write(line):
        lines.append(line.encode("ascii").decode())

    assert main_check([file], write) == 0
    assert "\\xe4.yaml" in lines[0]
    assert "B\\xfccher" in lines[0]


def test_a_name_that_is_no_text_is_told_too(tmp_path):
    if sys.platform != "linux":
        pytest.skip("names are bytes on Linux alone")
    (tmp_path / os.fsdecode(b"\xff.yaml")).write_text("{")
    code, lines = run(tmp_path)
    assert code == 1
    assert "/\\udcff.yaml:" in lines[0]
