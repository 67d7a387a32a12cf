"""The registry of codes: whole, in order, and what the loader and the judges draw on."""

import re
from pathlib import Path

from manifest.helpers import limiter
from trafficcore import judge, manifest
from trafficcore.manifest import problems
from trafficcore.manifest.codes import CODES, SECTIONS

SOURCES = [
    path
    for package in (manifest, judge)
    for path in sorted(Path(package.__file__).parent.glob("*.py"))
]
USED = {code for path in SOURCES for code in re.findall(r'"(TC\d{3})"', path.read_text("utf-8"))}


def test_every_code_of_the_sources_is_registered_and_every_registered_one_is_used():
    assert set(CODES) == USED


def test_codes_and_names_are_given_out_once_and_stand_in_order():
    codes = [code for section in SECTIONS.values() for code in section]
    assert [code.id for code in codes] == sorted(CODES)
    assert len({code.name for code in codes}) == len(codes)


def test_each_hundred_has_a_section_of_its_own():
    hundreds = [{code.id[:3] for code in section} for section in SECTIONS.values()]
    assert all(len(each) == 1 for each in hundreds)
    assert len(set.union(*hundreds)) == len(SECTIONS)


def test_an_entry_says_what_why_and_what_instead_in_whole_sentences():
    for code in CODES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code.name), code.name
        assert code.severity in {"error", "warning", "notice"}
        assert code.title[-1] not in ".!?"
        assert code.why.endswith(".")
        assert code.instead.endswith(".")


def test_faults_are_the_zeros_and_nothing_else():
    assert [code.id[2] == "0" for code in CODES.values()] == [
        code.severity == "error" for code in CODES.values()
    ]


# -- what no text of an example can show ---------------------------------------------------------


def raised(source):
    return [problem.code for problem in manifest.check(source).problems]


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path):
    assert raised(tmp_path / "gone.yaml") == ["TC001"]
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    assert raised(tmp_path / "a.yaml") == ["TC001"]


def test_a_folder_without_manifests(tmp_path):
    assert raised(tmp_path) == ["TC907"]


def test_more_faults_than_anybody_reads():
    text = limiter("configs: []\n" + "".join(f"x{at}: 1\n" for at in range(3000)))
    assert raised(text)[998:] == ["TC003", "TC008", "TC106"]
    assert raised("}\n---\n" * 50)[-1] == "TC008"


def test_more_warnings_than_are_kept(monkeypatch):
    monkeypatch.setattr(problems, "MOST_REMARKS", 3)
    text = "---\n".join(f"kind: Kind{at}\n" for at in range(3))
    assert raised(text) == ["TC904"] * 3
    report = manifest.check(f"{text}---\n" * 2)
    assert [problem.code for problem in report.problems] == ["TC904"] * 3 + ["TC908"]
    assert report.problems[-1].message == "3 more warnings and notices are not listed"
