"""Endpoints from a file: read when it has changed, whatever way it did."""

import os

import pytest

from support import policies as p
from trafficcore.discovery import Discovery, File
from trafficcore.engine import Engine
from trafficcore.engine.finding import Finding
from trafficcore.errors import ConfigError, ManifestError
from trafficcore.live.loading import first_answers
from trafficcore.manifest.endpoints_file import read_endpoints_file
from trafficcore.spec import EndpointSpec


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "web.yaml"
    path.write_text("- a:1\n")
    return path


def addresses(source, now):
    return [endpoint.address for endpoint in source.snapshot(now)]


def test_a_list_of_texts_and_objects(tmp_path):
    file = tmp_path / "it.yaml"
    file.write_text(
        "- 10.0.0.1:9080\n"
        '- {address: "10.0.0.2:9080", locality: eu/a, weight: 2, labels: {version: "2"}}\n'
        "- address: 10.0.0.3\n"
    )
    assert read_endpoints_file(file) == (
        EndpointSpec("10.0.0.1:9080"),
        EndpointSpec("10.0.0.2:9080", "eu/a", 2, {"version": "2"}),
        EndpointSpec("10.0.0.3"),
    )
    file.write_text("[]")
    assert read_endpoints_file(file) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["must hold one list of endpoints, not 0 documents"]),
        ("[a]\n---\n[b]\n", ["must hold one list of endpoints, not 2 documents"]),
        ("a: 1\n", ["1:1: must be a list, not a mapping"]),
        ("~\n", ["must hold one list of endpoints, not 0 documents"]),
        ("- a:1\n- b:1\n- {address: a:1}\n", ["3:13 [2]: 'a:1' is there twice"]),
        ("- [a]\n- ''\n", [
            "1:3 [0]: must be a mapping, not a list",
            "2:3 [1]: must be a text that is not empty, not ''",
        ]),
        ("- http://a:1\n- {address: 'a:0'}\n", [
            "1:3 [0]: must be an address, as host:port or host alone, with a port of 1 to 65535",
            "2:13 [1].address: must be an address",
        ]),
        ("- {adress: a}\n- {address: b, weight: 0, zone: x}\n", [
            "1:4 [0].adress: the field 'adress' is unknown; did you mean 'address'?",
            "2:24 [1].weight: must be a whole number from 1, not '0'",
            "2:27 [1].zone: the field 'zone' is unknown",
        ]),
        ("- {address: [", ["2:1: is not YAML"]),
    ],
)  # fmt: skip
def test_every_fault_is_told_with_its_place(path, text, told):
    path.write_text(text)
    with pytest.raises(ManifestError) as error:
        read_endpoints_file(path)
    lines = str(error.value).replace(f"{path}:", "").splitlines()
    assert len(lines) == len(told)
    assert all(want in line for want, line in zip(told, lines, strict=True)), lines


def test_a_change_is_seen_within_the_time(path):
    source = File(path, every=2)
    assert isinstance(source, Discovery)
    assert addresses(source, 10.0) == ["a:1"]
    path.write_text("[b:1]")
    assert addresses(source, 11.9) == ["a:1"]
    assert source.next_deadline() == 12.0
    assert addresses(source, 12.0) == ["b:1"]
    assert repr(source) == f"<File {path}>"


def test_a_file_that_stays_is_not_read(path, monkeypatch):
    source = File(path)
    for now in (0.0, 1.0):
        source.snapshot(now)
    monkeypatch.setattr("trafficcore.manifest.endpoints_file.read_endpoints_file", None)
    assert addresses(source, 2.0) == ["a:1"]
    assert source.error == ""


def test_two_writes_in_one_tick_of_a_clock_are_both_seen(path):
    source = File(path)
    before = path.stat()
    assert addresses(source, 0.0) == ["a:1"]
    path.write_text("- b:1\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert addresses(source, 1.0) == ["b:1"]


def test_a_rename_and_a_mounted_config_map_are_changes(tmp_path):
    for version, address in (("one", "a:1"), ("two", "b:1")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "web.yaml").write_text(f"[{address}]")
    data = tmp_path / "..data"
    data.symlink_to(tmp_path / "one")
    (tmp_path / "web.yaml").symlink_to(data / "web.yaml")
    source = File(tmp_path / "web.yaml")
    for now in (0.0, 1.0, 2.0):
        assert addresses(source, now) == ["a:1"]
    new = tmp_path / "..new"
    new.symlink_to(tmp_path / "two")
    new.rename(data)
    assert addresses(source, 3.0) == ["b:1"]


def test_faults_and_absence_later_on_change_nothing(path):
    source = File(path)
    assert addresses(source, 0.0) == ["a:1"]
    path.write_text("[")
    assert addresses(source, 1.0) == ["a:1"]
    assert f"{path}:2" in source.error
    assert addresses(source, 2.0) == ["a:1"]
    path.unlink()
    assert addresses(source, 3.0) == ["a:1"]
    assert "no such file" in source.error
    path.write_text("[b:1]")
    assert addresses(source, 4.0) == ["b:1"]
    assert source.error == ""


def test_a_load_reads_the_file_and_says_what_is_wrong_with_it(path):
    engine = Engine(p.policy(), endpoints={"web": File(path)}, finding=Finding(ready=first_answers))
    assert engine.admit(p.calling("web"), 0.0).endpoint.address == "a:1"
    path.write_text("a: 1\n")
    with pytest.raises(ManifestError, match="must be a list"):
        Engine(p.policy(), endpoints={"web": File(path)}, finding=Finding(ready=first_answers))
    with pytest.raises(ManifestError, match="cannot be read"):
        engine.reload(endpoints={"web": File(path.with_name("none.yaml"))})
    assert engine.admit(p.calling("web"), 0.0).endpoint.address == "a:1"


@pytest.mark.parametrize("every", [0, -1, float("nan")])
def test_a_time_that_cannot_be_is_refused(path, every):
    with pytest.raises(ConfigError, match="every"):
        File(path, every)
