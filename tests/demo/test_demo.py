"""The demo shows the four policies, and notices when one of them does not work."""

import io

import pytest
from click.testing import CliRunner

from trafficcore.cli import cli
from trafficcore.demo.breaker import slow_breaker
from trafficcore.demo.ejection import ejection_and_zones
from trafficcore.demo.priority import priority
from trafficcore.demo.report import Report, Scene
from trafficcore.demo.run import run
from trafficcore.demo.throttle import throttling

pytestmark = pytest.mark.sockets


def test_the_whole_demo_holds() -> None:
    out = io.StringIO()
    assert run(out=out) == 0, out.getvalue()
    shown = out.getvalue()
    assert "4 of 4 scenes: every policy did what it says." in shown
    assert "NOT SO" not in shown
    for part in ("429 local_rate_limited", "retry-after: 30", "498 delay break!", "guest", "p99"):
        assert part in shown


@pytest.mark.parametrize(
    "play",
    [
        throttling,
        slow_breaker,
        ejection_and_zones,
        lambda t, full: priority(t, full=full, seconds=1),
    ],
    ids=["throttle", "breaker", "ejection", "priority"],
)
def test_a_scene_whose_policy_does_nothing_is_seen(
    monkeypatch: pytest.MonkeyPatch, play: object
) -> None:
    monkeypatch.setenv("TRAFFICCORE_MODE", "off")
    scene = play("broken", full=False)  # type: ignore[operator]
    assert not scene.fine


def test_one_scene_that_fails_makes_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def scene(title: str, *, full: bool) -> Scene:
        made = Scene(title, "policy")
        made.saw("x", 1, 1)
        made.saw("y", 1, 2)
        return made

    monkeypatch.setattr("trafficcore.demo.run._SCENES", {"only": scene})
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "NOT SO" in result.output


def test_an_interrupted_demo_stops_cleanly(monkeypatch: pytest.MonkeyPatch) -> None:
    def scene(title: str, *, full: bool) -> Scene:
        raise KeyboardInterrupt

    monkeypatch.setattr("trafficcore.demo.run._SCENES", {"only": scene})
    out = io.StringIO()
    assert run(out=out) == 130
    assert "stopped" in out.getvalue()


def test_a_scene_without_steps_is_not_fine() -> None:
    assert not Scene("empty", "policy").fine


def test_on_a_terminal_the_tables_are_drawn() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    report = Report(out)
    scene = Scene("[1] title", "a policy", notes=["[a note]"])
    scene.saw("sent", "[red]came", "came")
    with report.progress("running"):
        pass
    report.show(scene)
    for part in ("[1] title", "[red]came", "NOT SO", "[a note]"):
        assert part in out.getvalue()
