"""Files, folders, texts and lists of them."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from manifest.helpers import LIMIT, limit
from trafficcore import manifest
from trafficcore.errors import ManifestError
from trafficcore.manifest import parse, sources
from trafficcore.manifest.parse import Limits

#: Who opens it to read gets a text, and does not wait.
WRITES = 'import sys; open(sys.argv[1], "w").write("{not: [read")'


def named(name):
    return limit(LIMIT).replace("name: it", f"name: {name}")


def names(source):
    return [rule.source.name for rule in manifest.load(source).limits]


def the_error(source):
    (problem,) = manifest.check(source).errors
    return str(problem)


def test_a_file_may_be_text_or_path(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(named("a"))
    assert names(file) == names(str(file)) == ["a"]
    assert manifest.load(file).limits[0].source.file == str(file)


def test_a_relative_path_stays_as_it_was_given(tmp_path, monkeypatch):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(named("a"))
    monkeypatch.chdir(tmp_path)
    assert manifest.load("policies/").limits[0].source.file == "policies/a.yaml"
    assert manifest.load(Path("policies")).limits[0].source.file == "policies/a.yaml"


def test_a_file_that_is_named_may_end_in_anything(tmp_path):
    file = tmp_path / "policy.txt"
    file.write_text(named("a"))
    assert names(str(file)) == ["a"]


def test_a_folder_is_read_with_all_below_it_in_order(tmp_path):
    for path in ("b.yaml", "a.yml", "sub/z.json", "sub/deep/a.YAML", "A.yaml"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(named(file.stem.lower() + str(len(file.parts) - len(tmp_path.parts))))
    for path in ("notes.md", "c.yaml.bak", ".hidden.yaml", ".git/x.yaml"):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text("{not: [read")
    (tmp_path / "A.yaml").unlink()
    assert names(tmp_path) == ["a1", "b1", "a3", "z2"]


def test_a_mounted_config_map_is_read_once(tmp_path):
    data = tmp_path / "..2026_01_05"
    (data / "sub").mkdir(parents=True)
    (data / "a.yaml").write_text(named("a"))
    (data / "sub" / "b.yaml").write_text(named("b"))
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "sub").symlink_to("..data/sub")
    assert names(tmp_path) == ["a", "b"]


def test_a_file_that_is_reached_twice_is_read_once(tmp_path):
    (tmp_path / "a.yaml").write_text(named("a"))
    (tmp_path / "same.yaml").symlink_to("a.yaml")
    assert names([tmp_path, tmp_path / "a.yaml", str(tmp_path)]) == ["a"]


def test_a_folder_that_holds_itself_ends(tmp_path):
    (tmp_path / "a.yaml").write_text(named("a"))
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("..")
    assert names(tmp_path) == ["a"]


def test_a_folder_without_manifests_is_a_warning(tmp_path):
    policy = manifest.load(tmp_path)
    assert policy.notices == (
        f"holds no manifest: no file of it ends in .yaml, .yml or .json ({tmp_path})",
    )


def test_texts_are_told_by_their_lines_keys_or_braces():
    assert names(named("a")) == ["a"]
    flow = (
        "{apiVersion: istio.alibabacloud.com/v1, kind: ASMLocalRateLimiter, metadata: {name: a}, "
    )
    assert names(flow + f"spec: {{configs: [{{limit: {LIMIT}}}]}}}}") == ["a"]
    assert names('{"kind":"List","items":[]}') == []
    assert names("kind: List") == []
    assert names("\ufeffkind: List\n") == []


def test_a_list_mixes_all_of_them(tmp_path):
    (tmp_path / "b.yaml").write_text(named("b"))
    policy = manifest.load([named("a"), tmp_path / "b.yaml", named("c")])
    assert [rule.source.name for rule in policy.limits] == ["a", "b", "c"]
    assert [rule.source.file for rule in policy.limits] == [
        "<text>",
        f"{tmp_path}/b.yaml",
        "<text 2>",
    ]
    assert manifest.load([]).limits == ()


@pytest.mark.parametrize("name", ["nowhere", "no/where.yaml", "policies/"])
def test_a_path_that_is_not_there_is_a_problem(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = f"{name}: cannot be read: no such file or directory"
    assert the_error(name) == wanted
    assert the_error([name]) == wanted
    with pytest.raises(ManifestError):
        manifest.load(name)


def test_a_path_is_never_taken_for_a_text():
    assert the_error(Path("kind: List")).endswith("cannot be read: no such file or directory")


def test_no_name_at_all_is_a_problem_not_the_present_folder():
    assert the_error("").startswith("'': cannot be read: ")


def test_a_name_with_a_nul_byte_is_a_problem():
    assert "cannot be read" in the_error(Path("a\0b"))


@pytest.mark.parametrize("source", [5, None, b"kind: List", [5], [b"x"], [["nested"]]])
def test_what_is_no_source_is_a_mistake_of_the_program(source):
    with pytest.raises(TypeError, match="manifests are a path, a text or a list of them, not"):
        manifest.load(source)


def test_a_device_is_no_file():
    if not Path("/dev/zero").exists():
        pytest.skip("no such device here")
    assert the_error("/dev/zero") == "/dev/zero: cannot be read: is no file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
def test_a_pipe_in_a_folder_is_passed_over_and_one_by_its_name_is_read(tmp_path):
    pipe = tmp_path / "x.yaml"
    os.mkfifo(pipe)
    (tmp_path / "link.yaml").symlink_to("x.yaml")
    (tmp_path / "a.yaml").write_text(named("a"))
    # A walk that opened it would wait for one who writes; this one writes what is no manifest.
    other = subprocess.Popen([sys.executable, "-c", WRITES, str(pipe)])
    try:
        assert names(tmp_path) == ["a"]
    finally:
        other.kill()
        other.wait()
    writer = threading.Thread(target=pipe.write_text, args=(named("piped"),))
    writer.start()
    assert names(pipe) == ["piped"]
    writer.join()


def test_a_broken_link_is_a_problem_and_the_rest_is_read(tmp_path):
    (tmp_path / "a.yaml").symlink_to("gone")
    (tmp_path / "b.yaml").write_text(limit("{quota: x}"))
    errors = manifest.check(tmp_path).errors
    assert str(errors[0]).endswith("a.yaml: cannot be read: no such file or directory")
    assert len(errors) == 3


def test_a_file_that_is_not_utf_8_is_a_problem_with_its_place(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"kind: List\nname: caf\xe9\n")
    message = "is not UTF-8: the byte 0xe9 begins no character"
    assert the_error(tmp_path) == f"{tmp_path}/a.yaml:2:10: {message}"
    (tmp_path / "a.yaml").write_text("kind: List", encoding="utf-16")
    assert the_error(tmp_path) == f"{tmp_path}/a.yaml:1:1: {message.replace('e9', 'ff')}"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + named("a").encode())
    assert names(tmp_path) == ["a"]
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfx: \xff")
    assert the_error(tmp_path).startswith(f"{tmp_path}/a.yaml:1:")


def test_a_file_beyond_the_size_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources.Sources.__init__, "__defaults__", (Limits(size=2048),))
    (tmp_path / "a.yaml").write_bytes(b"#" * 2049)
    assert the_error(tmp_path) == f"{tmp_path}/a.yaml: is larger than 2 KiB; not read"
    assert the_error("#" * 2048 + "\n") == "<text>: is larger than 2 KiB; not read"
    (tmp_path / "a.yaml").write_bytes(b"#" * 2048)
    assert names(tmp_path) == []


def test_the_size_of_a_file_is_bounded_by_default():
    assert parse.LIMITS.size <= 16 * 1024 * 1024
    assert the_error("#" * parse.LIMITS.size + "\n").endswith("KiB; not read")
