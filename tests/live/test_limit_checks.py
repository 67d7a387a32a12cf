"""What a limit cannot be is a `ConfigError` when it is written down, and names what it is about."""

from functools import partial

import pytest

from trafficcore import ConfigError, KeyedRateLimiter, QuotaScheduler, RateLimiter
from trafficcore.limits import Limit, client_address, cookie, first_of, header, path_parameter
from trafficcore.limits import query as query_key
from trafficcore.live.budgets import Budgets
from trafficcore.live.limits import bind
from trafficcore.web.flask import Traffic
from trafficcore.web.keys import reader
from trafficcore.web.starlette import limited


async def asynchronous(_):
    return "anything"


async def yielding(_):
    yield "anything"


class Called:
    async def __call__(self, _):
        return "anything"


ASYNC = [asynchronous, yielding, Called(), partial(asynchronous), Called().__call__]


@pytest.mark.parametrize("function", ASYNC)
@pytest.mark.parametrize("what", ["by", "on", "exempt", "cost", "known"])
def test_an_async_function_is_refused_wherever_a_limit_takes_one(what, function):
    with pytest.raises(ConfigError, match=f"{what} must be a plain function, not the async"):
        Limit("1/s", **{what: function})


@pytest.mark.parametrize("function", ASYNC)
def test_so_it_is_where_a_key_is_read_and_by_limiters_of_keys(function):
    for take in (reader, first_of, KeyedRateLimiter("1/s").by):
        with pytest.raises(ConfigError, match="must be a plain function, not the async"):
            take(function)
    with pytest.raises(ConfigError, match="known must be a plain function, not the async"):
        KeyedRateLimiter("1/s", known=function)


@pytest.mark.parametrize("what", ["by", "on", "exempt", "cost", "known"])
@pytest.mark.parametrize("function", [lambda: "x", lambda one, two: "x"])
def test_a_function_takes_one_argument(what, function):
    with pytest.raises(ConfigError, match=f"{what} must be a function of one argument"):
        Limit("1/s", **{what: function})


def test_functions_of_every_kind_are_taken():
    for function in (str, "vip".__eq__, {}.get, partial(max, 3), lambda one, more=0: None):
        Limit("1/s", by=function, on=function, exempt=function, cost=function, known=function)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"known": "x"}, "known must be a function, not 'x'"),
        ({"on": 5}, "on must be a path such as '/v1/\\*' or 'GET /v1/\\*', not 5"),
        ({"on": None}, "on must be a path such as .*, not None"),
        ({"on": ["/a", 5]}, "on must be a path such as .*, not 5"),
        ({"exempt": "health"}, "exempt must be a path such as .*, not 'health'"),
        ({"exempt": ""}, "exempt must be a path such as .*, not ''"),
        ({"exempt": ["GETT /health"]}, "exempt must name methods of HTTP, and 'GETT' is none"),
        ({"name": 5}, "name must be printable ASCII, not 5"),
        ({"enabled": "50"}, "enabled must be a percentage from 0 to 100, not '50'"),
        ({"enforced": None}, "enforced must be a percentage from 0 to 100, not None"),
        ({"enforced": float("nan")}, "enforced must be a percentage"),
        ({"headers": 5}, "headers must be a mapping or pairs of texts, not 5"),
        ({"headers": {"a b": "x"}}, "a header's name must be .*, not 'a b'"),
        ({"headers": {"": "x"}}, "a header's name must be .*, not ''"),
        ({"headers": {"é": "x"}}, "a header's name must be .*, not 'é'"),
        ({"headers": {"a:": "x"}}, "a header's name must be .*, not 'a:'"),
        ({"max_keys": "a"}, "max_keys must be at least 1, not 'a'"),
        ({"max_keys": 0, "by": header("x-a")}, "max_keys must be at least 1, not 0"),
        ({"by": "key"}, "by must be a key such as header"),
        ({"by": header}, r"write header\(…\), with its parentheses"),
        ({"share": "all"}, "share must be one of local, host, not 'all'"),
        ({"share": "host"}, "needs a name"),
        ({"members": 0}, "members must be a whole number from 1, not 0"),
        ({"members": 2, "member": 2}, "member must be a whole number from 0 to 1, not 2"),
        ({"members": 101}, "leaves nothing for one of 101 members"),
        ({"members": 4, "cost": 26}, "cost must be above 0 and at most 25, not 26"),
        ({"share": "host", "name": "a", "members": 2}, "members=2 divides it"),
        ({"cost": None}, "cost must be a number or a function, not None"),
    ],
)
def test_a_slip_is_told_with_its_name_and_its_value(options, message):
    with pytest.raises(ConfigError, match=message):
        Limit("100/s", **options)


def test_a_rate_that_no_keys_bucket_can_have_is_told():
    Limit(2_000_000)
    with pytest.raises(ConfigError, match="rate must be at most 1000000"):
        Limit(2_000_000, by=header("x-a"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: header(5), r"header\(\) takes the name of a header, not 5"),
        (lambda: header("ключ"), "takes the name of a header, not 'ключ'"),
        (lambda: header("x key"), "takes the name of a header, not 'x key'"),
        (lambda: cookie(5), r"cookie\(\) takes the name of a cookie, not 5"),
        (lambda: cookie("a=b"), "takes the name of a cookie, not 'a=b'"),
        (lambda: query_key(None), r"query\(\) takes the name of a parameter, not None"),
        (lambda: path_parameter(5), r"path_parameter\(\) takes the name of a parameter, not 5"),
        (lambda: query_key(""), "takes the name of a parameter, not ''"),
        (lambda: client_address(5), "trusted proxies must be a list of networks, not 5"),
        (lambda: client_address([5]), 'must be an address, a network or "unix", not 5'),
        (lambda: client_address(header=5), "header must be one of x-forwarded-for, forwarded"),
        (lambda: first_of("key"), "by must be a key such as header"),
        (lambda: bind(5), "limits must be a list of Limit"),
        (lambda: bind("1/s"), "limits must be a list of Limit"),
        (lambda: Traffic(limits=Limit("1/s")), "put this one into brackets"),
        (lambda: limited(print), "a limit needs its rate first, as in @limited"),
        (lambda: KeyedRateLimiter("1/s", known="x"), "known must be a function, not 'x'"),
        (lambda: KeyedRateLimiter("1/s", max_keys="a"), "max_keys must be at least 1, not 'a'"),
        (lambda: KeyedRateLimiter("1/s").by("key"), "by must be a function, not 'key'"),
    ],
)
def test_so_are_slips_around_it(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("timeout", ["5", [], float("nan")])
def test_a_timeout_that_is_no_number_is_told(timeout, clock):
    limiter = RateLimiter("1/min", clock=clock)
    scheduler = QuotaScheduler(1, 1, clock=clock)
    budgets = Budgets({"calls": "1/min"}, clock=clock)
    for verb in (limiter.acquire, scheduler.acquire, budgets.acquire):
        verb()
    for verb in (limiter.acquire, limiter.reserve, scheduler.acquire, budgets.acquire):
        with pytest.raises(ConfigError, match="timeout must be a number of seconds, not"):
            verb(timeout=timeout)
