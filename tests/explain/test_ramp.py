"""Load ramps in words."""

import attrs

from explain.helpers import meanings, text, texts, values
from explain.test_request import explained
from support import policies as p
from trafficcore.explain import Hosts, rows
from trafficcore.spec import QuotaSelector, RampDriver, RampRule

RAMP = RampRule(
    source=p.source("LoadRampingPolicy"),
    namespace="default",
    steps=((1, 0), (50, 60), (100, 300)),
    drivers=(RampDriver(forward=0.1, backward=0.15, reset=0.2),),
    session="user",
)


def test_a_ramp_in_full() -> None:
    assert texts(meanings(RAMP)) == [
        "For processes in default.",
        "It looks at inbound requests to any service.",
        (
            "Of the requests it lets through 1 % for 1 s, then to 50 % over 60 s,"
            " then to 100 % over 300 s."
        ),
        (
            "The mean latency of 30 s of inbound * moves it on while it is below 100 ms, back while"
            " it is above 150 ms and back to its first step while it is above 200 ms."
        ),
        "A value of user that is let through stays so while the share grows.",
        "All others are answered 403 with the body 'ramping'.",
    ]


def test_what_is_not_as_everybody_expects() -> None:
    still = attrs.evolve(RAMP, started=False, drivers=())
    assert text(meanings(still), "start") == "It is not started: it goes on to no further step."
    assert text(meanings(still), "goes on") == "Nothing but time moves it."
    held = attrs.evolve(RAMP, reset=True, session="", drivers=(RampDriver(reset=1),))
    assert text(meanings(held), "start") == "It is held at its first step, by hand."
    assert values(meanings(held))["goes on"] == "by itself"
    unread = attrs.evolve(RAMP, drivers=(RampDriver(selectors=(), forward=0),))
    found = text(meanings(unread), "unread drivers")
    assert found == "A driver is not read: it never moves it on."


def test_a_request_before_a_ramp_and_its_meter() -> None:
    elsewhere = attrs.evolve(RAMP, selectors=(QuotaSelector(control_point="new"),))
    found = explained(p.request(), RAMP, elsewhere)
    assert [step.stage for step in found.steps] == ["ramp", "meter", "meter"]
    assert found.steps[0].texts == (
        "Among the share that goes on by its user, or refused: 403 ramping.",
    )
    assert found.steps[1].texts == ("How long it takes is counted for that rule, if it ends well.",)
    (idle,) = explained(p.request(direction="old"), elsewhere).idle
    assert idle[1] == "it is about new *; this request is at control point old"


def test_its_row() -> None:
    rule = explained(p.request(), RAMP).steps[0].rule
    (row,) = rows([rule], Hosts())
    assert row.cells[1:] == ("1 % over 0 s, 50 % over 60 s, 100 % over 300 s", "", "403", "yes")
