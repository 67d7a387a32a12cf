"""ServiceEntries in words, and what becomes of a request to them."""

import pytest

from explain.helpers import of_text, text, texts, values
from support import policies as p
from trafficcore import manifest
from trafficcore.engine import Identity
from trafficcore.explain import Hosts, explain, explain_request
from trafficcore.explain.rows import rows

NOBODY = Identity()


def entry(more, host="api.example.com", name="it"):
    return (
        f"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\n"
        f"spec:\n  hosts: ['{host}']\n{more}"
    )


LISTED = "  resolution: STATIC\n  endpoints:\n"
TWO = LISTED + "  - {address: 10.0.0.1, locality: eu/a}\n  - {address: 10.0.0.2}\n"
RULE = (
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: it}\nspec:\n"
    "  host: api.example.com\n  trafficPolicy: {outlierDetection: {maxEjectionPercent: 50}}\n---\n"
)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (TWO, "to one of 2 endpoints: 10.0.0.1 (eu/a) and 10.0.0.2"),
        (LISTED + "  - {address: 10.0.0.1}\n", "to 10.0.0.1"),
        (LISTED + "".join(f"  - {{address: 10.0.0.{n}}}\n" for n in range(8)),
         ("to one of 8 endpoints: 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3 and 10.0.0.4"
          " and 3 more")),
        ("  resolution: STATIC\n", "nowhere: no endpoint is listed, and it is refused 503"),
        ("  resolution: DNS\n",
         ("to one of the addresses of api.example.com, looked up anew as their records run out")),
        ("  resolution: DNS_ROUND_ROBIN\n",
         "to api.example.com, whose address each new connection looks up"),
        ("", "to the address it names: the entry has resolution NONE"),
    ],
)  # fmt: skip
def test_where_a_call_goes(more, said):
    (found,) = of_text(entry(more))
    assert texts(found) == [
        "For processes of every namespace.",
        "It looks at calls to api.example.com.",
        f"A call goes {said}.",
    ]


def test_who_may_see_it():
    (found,) = of_text(entry(TWO + "  exportTo: ['.', shop]\n"))
    assert text(found, "process") == "For processes in default or shop."
    (far,) = explain(
        manifest.load(entry(TWO + "  exportTo: ['.']\n")), Identity(namespace="far"), Hosts()
    )
    assert far.why_not == "exported to .; this process is in far"


def test_what_can_be_compared_is_what_calls_do():
    (found,) = of_text(entry(TWO))
    assert values(found)["endpoints"] == "STATIC 10.0.0.1 (eu/a), 10.0.0.2"
    (found,) = of_text(entry(""))
    assert values(found)["endpoints"] == "as named, resolution NONE"


def test_a_row_counts_the_endpoints():
    found = [*of_text(entry(TWO)), *of_text(entry(""))]
    assert [row.cells for row in rows(found, Hosts())] == [
        ("ServiceEntry default/it", "", "", "2 endpoints", "yes"),
        ("ServiceEntry default/it", "", "", "", "no"),
    ]


def asked(text, host="api.example.com", direction=p.OUTBOUND, hosts=None):
    facts = p.request(host, direction=direction)
    return explain_request(manifest.load(text), NOBODY, hosts or Hosts(), facts)


def test_a_request_goes_where_the_entry_says_and_the_rule_decides_among_them():
    found = asked(RULE + entry(TWO))
    assert [step.rule.source.kind for step in found.steps] == ["ServiceEntry", "DestinationRule"]
    assert found.steps[0].texts == ("Goes to one of 2 endpoints: 10.0.0.1 (eu/a) and 10.0.0.2.",)
    assert "made up" not in " ".join(found.steps[1].texts)
    assert found.idle == ()


def test_names_are_not_looked_up_to_explain_them():
    (step,) = asked(entry("  resolution: DNS\n")).steps
    assert "addresses of api.example.com" in step.texts[0]


def test_hosts_that_are_counted_go_before_an_entry():
    found = asked(RULE + entry(TWO), hosts=Hosts(by_name={"api.example.com": 5}))
    (step,) = found.steps
    assert "one of 5 endpoints" in step.texts[0]
    ((_, why),) = found.idle
    assert why == "not here: endpoints= says who they are"


@pytest.mark.parametrize(
    ("host", "direction", "why"),
    [
        ("other.example.com", p.OUTBOUND,
         "it is about calls to api.example.com; this request is for other.example.com"),
        ("api.example.com", p.INBOUND,
         "it is about outbound api.example.com; this request comes in"),
    ],
)  # fmt: skip
def test_why_an_entry_does_not_act(host, direction, why):
    ((_, said),) = asked(entry(TWO), host, direction).idle
    assert said == why


def test_a_host_that_fits_more_closely_goes_first():
    text = f"{entry(TWO, '*.example.com', 'wide')}---\n{entry(TWO)}"
    ((rule, why),) = asked(text).idle
    assert rule.source.name == "wide"
    assert why == "a host that fits api.example.com more closely has its calls"
