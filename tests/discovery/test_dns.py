"""Names with a resolver that says what it is told: what calls go by, and who waits."""

import threading

import pytest

from support import policies as p
from trafficcore.core.discovery import RefreshSettings
from trafficcore.discovery import Answer, Background, Discovery, Dns, system_lookup
from trafficcore.discovery.lookup import default_lookup
from trafficcore.engine import Engine, Permit
from trafficcore.engine.events import DiscoveryFailed, DiscoveryRestored, EndpointsChanged
from trafficcore.engine.finding import Finding
from trafficcore.errors import ConfigError
from trafficcore.live.loading import first_answers

NAME = "web.example.com"
INF = float("inf")
REFRESH = RefreshSettings(least=5, most=300, jitter=0, negatives=2)


class Resolver:
    """Answers by name; waits for `gate` where there is one."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked = []
        self.gate = None

    def __call__(self, name, family, timeout):
        if self.gate is not None:
            assert self.gate.wait(10)
        self.asked.append((name, family, timeout))
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(*addresses, ttl=30.0):
    return Answer(found=addresses, ttl=ttl)


def names(resolver, *given, **more):
    return Dns(*(given or (f"{NAME}:80",)), lookup=resolver, refresh=REFRESH, **more)


def settle(source):
    """Wait for what is on its way, as long as it takes."""
    inquiries = source._inquiries.values() if isinstance(source, Dns) else [source._inquiry]
    assert all(one.wait(10) for one in inquiries)


def look(source, now):
    settle(source)
    snapshot = source.snapshot(now)
    settle(source)
    return None if snapshot is None else [endpoint.address for endpoint in snapshot]


def test_each_address_of_a_name_is_an_endpoint_with_what_is_said_of_the_name():
    resolver = Resolver(web_example_com=found("10.0.0.1", "10.0.0.2", "fd00::1"))
    source = names(resolver, (f"{NAME}:80", "eu/a", 3, {"v": "1"}), family="all")
    assert isinstance(source, Discovery)
    assert source.snapshot(0) is None  # nobody waits, not even the first
    settle(source)
    endpoints = source.snapshot(0)
    assert [(e.address, e.locality, e.weight, e.labels) for e in endpoints] == [
        (address, "eu/a", 3, (("v", "1"),))
        for address in ("10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80")
    ]
    assert resolver.asked == [(NAME, "all", 5)]
    assert repr(source) == f"<Dns {NAME}:80>"


def test_names_addresses_and_ports_may_be_mixed_and_meet():
    resolver = Resolver(a_x=found("10.0.0.1"), b_x=found("10.0.0.1", "10.0.0.2"))
    source = names(
        resolver, "a.x:80", ("b.x:80", "r"), "10.0.0.9:80", "[fd00::1]:80", "a.x", "fd00::2"
    )
    settle(source)
    assert look(source, 0) == ["10.0.0.9:80", "[fd00::1]:80", "[fd00::2]"]
    assert look(source, 0) == [
        "10.0.0.1:80", "10.0.0.2:80", "10.0.0.9:80", "[fd00::1]:80", "10.0.0.1", "[fd00::2]",
    ]  # fmt: skip
    assert len(resolver.asked) == 2
    assert source.snapshot(0)[0].locality == ""  # who names an address first says what it is


def test_addresses_alone_are_never_looked_up():
    source = names(Resolver(), "10.0.0.1:80")
    assert look(source, 0) == ["10.0.0.1:80"]
    assert source.next_deadline() == INF


def test_names_are_looked_up_again_when_their_time_is_over():
    resolver = Resolver(web_example_com=found("10.0.0.1"))
    source = names(resolver)
    look(source, 0)
    assert look(source, 1) == ["10.0.0.1:80"]
    assert source.next_deadline() == 30  # from the question
    resolver.answers[NAME] = found("10.0.0.2")
    assert look(source, 29) == ["10.0.0.1:80"]
    assert len(resolver.asked) == 1
    assert look(source, 30) == ["10.0.0.1:80"]  # sent for
    assert look(source, 30) == ["10.0.0.2:80"]
    assert len(resolver.asked) == 2


def test_a_failure_keeps_the_last_good_answer_and_says_so():
    resolver = Resolver(web_example_com=found("10.0.0.1"), b_x=found("10.0.0.2"))
    source = names(resolver, f"{NAME}:80", "b.x:80")
    look(source, 0)
    look(source, 0)
    resolver.answers[NAME] = TimeoutError("nobody answered")
    look(source, 30)
    assert look(source, 31) == ["10.0.0.1:80", "10.0.0.2:80"]
    assert source.error == "TimeoutError: nobody answered"
    assert source.next_deadline() == 36
    resolver.answers[NAME] = found("10.0.0.3")
    look(source, 36)
    assert look(source, 36) == ["10.0.0.3:80", "10.0.0.2:80"]
    assert source.error == ""


def test_no_such_name_is_believed_the_second_time():
    resolver = Resolver(web_example_com=found("10.0.0.1"))
    source = names(resolver)
    look(source, 0)
    look(source, 0)
    resolver.answers[NAME] = Answer(ttl=10, why="no such name")
    look(source, 30)
    assert look(source, 30) == ["10.0.0.1:80"]
    assert source.error == "no such name"
    look(source, 40)
    assert look(source, 40) == []
    resolver.answers[NAME] = found("10.0.0.2")
    look(source, 50)
    assert look(source, 50) == ["10.0.0.2:80"]


def test_no_request_waits_and_the_load_waits_for_the_first_answer():
    resolver = Resolver(web_example_com=found("10.0.0.1"))
    told = []
    source = names(resolver)
    engine = Engine(
        p.policy(),
        endpoints={"web": source},
        finding=Finding(ready=first_answers),
        listeners=[told.append],
    )
    permit = engine.admit(p.calling("web"), 100.0)
    assert isinstance(permit, Permit)
    assert permit.endpoint.address == "10.0.0.1:80"
    settle(source)
    assert len(resolver.asked) == 2  # nobody knows how old the answer of the load was
    gate = resolver.gate = threading.Event()
    resolver.answers[NAME] = found("10.0.0.2")
    for now in (129.0, 130.0, 131.0):
        assert engine.admit(p.calling("web"), now).endpoint.address == "10.0.0.1:80"
    gate.set()
    settle(source)
    assert engine.admit(p.calling("web"), 131.0).endpoint.address == "10.0.0.2:80"
    resolver.answers[NAME] = OSError("x")
    for now in (161.0, 162.0, 200.0):
        engine.admit(p.calling("web"), now)
        settle(source)
    assert engine.admit(p.calling("web"), 200.0).endpoint.address == "10.0.0.2:80"
    resolver.answers[NAME] = found("10.0.0.2")
    for now in (300.0, 300.0):
        engine.admit(p.calling("web"), now)
        settle(source)
    kinds = [type(event) for event in told if event.at]
    assert kinds == [EndpointsChanged, DiscoveryFailed, DiscoveryRestored]
    (cluster,) = engine.snapshot(300.0)["clusters"]
    assert cluster["discovery"]["source"] == f"<Dns {NAME}:80>"
    assert cluster["discovery"]["next"] == 330.0


def test_a_load_does_not_wait_for_ever():
    resolver = Resolver(web_example_com=found("10.0.0.1"), a_x=found("10.0.0.9"))
    gate = resolver.gate = threading.Event()
    source = names(resolver)
    engine = Engine(
        p.policy(),
        endpoints={"web": source},
        finding=Finding(ready=lambda it: first_answers(it, 0)),
    )
    assert not isinstance(engine.admit(p.calling("web"), 0.0), Permit)
    gate.set()
    settle(source)
    assert isinstance(engine.admit(p.calling("web"), 0.0), Permit)
    other = names(resolver, "a.x:80")
    engine.reload(endpoints={"web": source, "shop": other})
    settle(other)
    assert isinstance(engine.admit(p.calling("shop"), 0.0), Permit)


def test_in_the_child_of_a_fork_a_question_on_its_way_is_asked_anew():
    resolver = Resolver(web_example_com=found("10.0.0.1"))
    gate = resolver.gate = threading.Event()
    source = names(resolver)
    assert source.snapshot(0) is None
    assert source.next_deadline() == INF
    for one in source._inquiries.values():
        one.after_fork()
    assert source.next_deadline() == -INF
    gate.set()


def test_what_has_come_back_before_a_fork_is_not_asked_again():
    resolver = Resolver(web_example_com=found("10.0.0.1"))
    source = names(resolver)
    source.prepare(10)
    for one in source._inquiries.values():
        one.after_fork()
    assert look(source, 0) == ["10.0.0.1:80"]


def test_where_no_thread_can_start_it_is_a_failure_like_any_other():
    class Refusing:
        def run(self, errand):
            raise RuntimeError("can't start new thread")

    source = names(Resolver())
    source._inquiries[NAME]._errands = Refusing()
    assert source.snapshot(0) is None
    assert source.error == "RuntimeError: can't start new thread"
    assert source.next_deadline() == 5


@pytest.mark.parametrize(
    ("given", "more", "told"),
    [((), {}, "a name"), (("x:1",), {"family": "v5"}, "'v5'"), (("x:1",), {"timeout": 0}, "0"),
     (("x:1", "x:1"), {}, "twice"), ((7,), {}, "7"), (("http://x:80",), {}, "Dns.*'http://x:80'"),
     (("x:99999",), {}, "65535"), (("x:1",), {"timeout": INF}, "inf")],
)  # fmt: skip
def test_what_cannot_work_is_refused(given, more, told):
    with pytest.raises(ConfigError, match=told):
        Dns(*given, **more)


def test_what_looks_up_by_default_is_dnspython_where_it_is_there(monkeypatch):
    assert default_lookup().__module__ == "trafficcore.discovery.dns_lookup"
    monkeypatch.setitem(__import__("sys").modules, "trafficcore.discovery.dns_lookup", None)
    assert default_lookup() is system_lookup


# -- callables -----------------------------------------------------------------------------------


def test_a_callable_that_waits_is_asked_in_the_background():
    answers = [["a:1"], OSError("away"), [], [("b:1", "r")]]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    source = Background(ask, every=10)
    assert isinstance(source, Discovery)
    assert source.snapshot(0) is None
    settle(source)
    assert source.snapshot(1) == ("a:1",)
    source.snapshot(10)
    settle(source)
    assert (source.snapshot(10), source.error) == (("a:1",), "OSError: away")
    assert source.next_deadline() == 20
    source.snapshot(20)
    settle(source)
    assert (source.snapshot(20), source.error) == ((), "")  # nobody, and that is believed
    source.snapshot(30)
    settle(source)
    assert source.snapshot(30) == (("b:1", "r"),)
    assert "ask every 10 s" in repr(source)


def test_a_callable_is_asked_before_the_first_request():
    source = Background(lambda: ["a:1"])
    engine = Engine(p.policy(), endpoints={"web": source}, finding=Finding(ready=first_answers))
    assert engine.admit(p.calling("web"), 0.0).endpoint.address == "a:1"
    settle(source)


# -- the operating system ------------------------------------------------------------------------


def test_the_operating_system_knows_addresses_and_no_times(monkeypatch):
    import socket

    rows = [
        (socket.AF_INET6, 0, 0, "", ("fd00::1", 0, 0, 0)),
        (socket.AF_INET, 0, 0, "", ("10.0.0.2", 0)),
        (socket.AF_INET, 0, 0, "", ("10.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: rows)
    four, six = ("10.0.0.1", "10.0.0.2"), ("fd00::1",)
    for family, wanted in (("v4", four), ("v6", six), ("v4 first", four), ("v6 first", six),
                           ("all", (*four, *six))):  # fmt: skip
        assert system_lookup("x", family, 5) == Answer(found=wanted)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: rows[:1])
    assert system_lookup("x", "v4 first", 5).found == six
    assert system_lookup("x", "v4", 5) == Answer(why="x has no address of the family v4")


@pytest.mark.parametrize(("code", "negative"), [("EAI_NONAME", True), ("EAI_AGAIN", False)])
def test_the_operating_system_tells_nothing_from_nobody(monkeypatch, code, negative):
    import socket

    def fail(*_, **__):
        raise socket.gaierror(getattr(socket, code), "told")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    if negative:
        assert system_lookup("x", "v4", 5) == Answer(why="x: told")
    else:
        with pytest.raises(OSError, match="told"):
            system_lookup("x", "v4", 5)
