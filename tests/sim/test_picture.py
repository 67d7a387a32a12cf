"""Pictures: of every kind, the same bytes twice, and whatever there is to draw."""

import warnings
from pathlib import Path

import pytest

from support.simulation import limit, play, quota
from trafficcore.errors import ConfigError
from trafficcore.sim.picture import picture

WEB = "http://web.default.svc.cluster.local/"
SPEC = f"""
duration: 10s
services:
- name: web.default.svc.cluster.local
  latency: 20ms
  endpoints: [{{locality: r/a}}, {{locality: r/b}}]
loads:
- {{name: guest, url: {WEB}, headers: {{user_type: guest}}, rate: 20}}
- {{name: gold, url: {WEB}, headers: {{user_type: subscriber}}, rate: 20}}
"""


@pytest.fixture(scope="module")
def result():
    return play(SPEC, limit(25) + "---" + quota(20))


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".SVG", b"<?xml")],
)
def test_the_suffix_decides_and_the_same_run_is_the_same_file(result, tmp_path, suffix, magic):
    first, second = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    picture(result, first)
    picture(result, second)
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_names_its_axes_and_its_lines(result, tmp_path):
    file = tmp_path / "x.svg"
    picture(result, file)
    text = file.read_text("utf-8")
    for part in (
        "answers a second", "mean latency, s", "waiting, at most", "calls a second, by zone",
        "seconds of virtual time", "guest 200", "gold 200", "gold 429", "r/a", "r/b",
    ):  # fmt: skip
        assert f"<!-- {part} -->" in text


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.png.txt"])
def test_another_suffix_is_refused_and_nothing_written(result, tmp_path, name):
    with pytest.raises(ConfigError, match=r"a picture ends in \.png, \.svg, \.pdf"):
        picture(result, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "load",
    ["rate: 0", "rate: 0.1", "rate: 1, timeout: 1ms", "bursts: {size: 1, every: 1h}"],
)
def test_a_run_with_hardly_anything_can_be_drawn(tmp_path, load):
    result = play(
        "duration: 1s\nservices: [{name: x, latency: 0s}]\n"
        f"loads: [{{name: a, url: 'http://x/', {load}}}]"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture(result, tmp_path / "x.svg")


def test_ejections_and_trips_are_marked(tmp_path):
    from trafficcore.testing import check_scenario

    for name, marks in (("breaker", ("open", "closed")), ("outlier", ("2 out", "2 back"))):
        result = check_scenario(Path(__file__).parents[2] / "examples" / name / "scenario.yaml")
        file = tmp_path / f"{name}.svg"
        picture(result, file)
        for mark in marks:
            assert f"<!-- {mark} -->" in file.read_text("utf-8")


def test_drawing_leaves_the_hosts_own_settings_alone(result, tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    picture(result, tmp_path / "x.png")
    assert dict(mpl.rcParams) == before
