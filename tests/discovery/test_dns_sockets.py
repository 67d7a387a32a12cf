"""Look-ups by dnspython over real sockets, from a name server of our own."""

from functools import partial

import dns.exception
import dns.rcode
import dns.resolver
import pytest

from support.names import name_server
from trafficcore.core.discovery import RefreshSettings
from trafficcore.discovery import Answer, Dns
from trafficcore.discovery.dns_lookup import dns_lookup, lookup_by

pytestmark = pytest.mark.sockets


@pytest.fixture
def zone():
    with name_server() as zone:
        zone.put("web.example.com.", "A", 30, "10.0.0.2", "10.0.0.1")
        zone.put("web.example.com.", "AAAA", 20, "fd00::1")
        zone.put("six.example.com.", "AAAA", 20, "fd00::2")
        zone.put("www.example.com.", "CNAME", 12, "web.example.com.")
        yield zone


def ask(zone, name, family="v4 first", timeout=5):
    return lookup_by(zone.resolver, name, family, timeout)


@pytest.mark.parametrize(
    ("family", "found", "ttl"),
    [
        ("v4", ("10.0.0.1", "10.0.0.2"), 30),
        ("v6", ("fd00::1",), 20),
        ("v4 first", ("10.0.0.1", "10.0.0.2"), 30),
        ("v6 first", ("fd00::1",), 20),
        ("all", ("10.0.0.1", "10.0.0.2", "fd00::1"), 20),
    ],
)
def test_addresses_come_with_their_time_to_live(zone, family, found, ttl):
    assert ask(zone, "web.example.com", family) == Answer(found=found, ttl=ttl)


def test_the_other_family_is_asked_where_the_first_has_nothing(zone):
    assert ask(zone, "six.example.com") == Answer(found=("fd00::2",), ttl=20)
    assert ask(zone, "six.example.com", "all") == Answer(found=("fd00::2",), ttl=20)
    assert ask(zone, "web.example.com", "v4 first").ttl == 30
    assert ("web.example.com.", "AAAA") not in zone.asked  # and not where it has


def test_a_chain_is_as_good_as_the_shortest_of_its_links(zone):
    assert ask(zone, "www.example.com") == Answer(found=("10.0.0.1", "10.0.0.2"), ttl=12)


def test_short_names_are_looked_for_in_the_domains_of_the_machine(zone):
    assert ask(zone, "web").found == ("10.0.0.1", "10.0.0.2")
    assert zone.asked == [("web.example.com.", "A")]


def test_nothing_is_an_answer_with_the_time_of_the_zone(zone):
    assert ask(zone, "no.example.com.") == Answer(ttl=7, why="no.example.com.: no such name")
    only = Answer(ttl=7, why="six.example.com.: no A record")
    assert ask(zone, "six.example.com.", "v4") == only
    zone.negative = 90  # the record's own time is shorter
    assert ask(zone, "no.example.com.").ttl == 60


@pytest.mark.parametrize("family", ["v4", "all"])
def test_a_server_that_fails_or_says_nothing_is_a_failure(zone, family):
    zone.rcode = dns.rcode.SERVFAIL
    with pytest.raises(dns.resolver.NoNameservers):
        ask(zone, "web.example.com", family)
    zone.silent = True
    with pytest.raises(dns.exception.Timeout):
        ask(zone, "web.example.com", family, 0.2)


def test_one_family_without_the_other_is_no_answer(zone):
    answers = zone.answer

    def half(query):
        zone.rcode = dns.rcode.SERVFAIL if query.question[0].rdtype == 28 else dns.rcode.NOERROR
        return answers(query)

    zone.answer = half
    with pytest.raises(dns.resolver.NoNameservers):
        ask(zone, "web.example.com", "all")
    assert ask(zone, "web.example.com").found == ("10.0.0.1", "10.0.0.2")


def test_endpoints_follow_a_zone_that_changes(zone):
    refresh = RefreshSettings(least=1, jitter=0)
    source = Dns(
        "web.example.com:80", lookup=partial(lookup_by, zone.resolver), refresh=refresh, timeout=5
    )

    def known(now):
        source.snapshot(now)
        assert all(one.wait(10) for one in source._inquiries.values())
        return [endpoint.address for endpoint in source.snapshot(now)]

    source.prepare(10)
    assert known(0) == ["10.0.0.1:80", "10.0.0.2:80"]
    zone.put("web.example.com.", "A", 5, "10.0.0.3")
    assert known(29) == ["10.0.0.1:80", "10.0.0.2:80"]
    assert known(30) == ["10.0.0.3:80"]
    zone.rcode = dns.rcode.SERVFAIL
    assert known(35) == ["10.0.0.3:80"]
    assert "NoNameservers" in source.error
    zone.rcode = dns.rcode.NOERROR
    assert known(36) == ["10.0.0.3:80"]
    assert source.error == ""


def test_the_machines_own_servers_are_asked_by_default(zone, monkeypatch):
    monkeypatch.setattr(dns.resolver, "Resolver", lambda: zone.resolver)
    assert dns_lookup("web.example.com", "v4", 5).found == ("10.0.0.1", "10.0.0.2")
