"""Limits of Flask applications: the extension, and decorators of views and blueprints."""

import threading

import pytest
from flask import Blueprint, Flask, Response, request

from trafficcore import ConfigError, WsgiTraffic
from trafficcore.limits import Limit, client_address, first_of, header, path_parameter
from trafficcore.web.flask import Traffic, blueprint, endpoint, limited, receipt


def app_of(*views):
    app = Flask("sugar")
    for path, view in views:
        app.add_url_rule(path, endpoint=path, view_func=view)
    return app


def statuses(app, path="/", count=3, **more):
    client = app.test_client()
    return [client.get(path, **more).status_code for _ in range(count)]


def ok(**_):
    return "ok"


def test_paths_are_exempt_in_front_and_on_views(clock):
    own = limited("1/day", exempt=["/health", "POST /both"], clock=clock)
    app = app_of(("/health", ok), ("/both", own(ok)))
    Traffic(app, limits=[Limit("1/day", exempt=["/health"])], clock=clock)
    assert statuses(app, "/health") == [200] * 3
    assert statuses(app, "/both") == [200, 429, 429]


def test_a_decorated_view_is_limited_and_answers_as_the_limit_says(clock):
    own = limited("2/min", name="own", clock=clock)
    app = app_of(("/", own(ok)), ("/free", ok))
    assert statuses(app) == [200, 200, 429]
    refusal = app.test_client().get("/")
    assert refusal.text == "local_rate_limited"
    assert refusal.headers["retry-after"] == "30"
    assert refusal.headers["x-envoy-ratelimited"] == "true"
    assert refusal.headers.getlist("content-type") == ["text/plain; charset=utf-8"]
    assert statuses(app, "/free", 1) == [200]
    assert own.limits["own"].refused == 2
    clock.advance(31)
    assert statuses(app, "/", 1) == [200]


def test_an_async_view_is_limited_too(clock):
    async def view():
        return "later"

    app = app_of(("/", limited("1/min", clock=clock)(view)))
    assert app.test_client().get("/").text == "later"
    assert statuses(app, "/", 1) == [429]


def test_a_blueprint_is_limited_with_those_inside_it(clock):
    outer, inner = Blueprint("outer", "x"), Blueprint("inner", "x")
    own = limited("2/min", clock=clock)
    assert own(outer) is outer
    outer.add_url_rule("/a", view_func=ok)
    inner.add_url_rule("/b", view_func=ok)
    outer.register_blueprint(inner, url_prefix="/inner")
    app = app_of(("/", ok))
    app.register_blueprint(outer, url_prefix="/outer")
    client = app.test_client()
    answers = [client.get(path).status_code for path in ("/outer/a", "/outer/inner/b", "/outer/a")]
    assert answers == [200, 200, 429]
    assert statuses(app) == [200] * 3


def test_the_extension_limits_all_views_and_tells_what_is_left(clock):
    traffic = Traffic(limits=[Limit("2/min", name="all")], headers="ietf", clock=clock)
    app = app_of(("/", ok), ("/health", traffic.exempt(ok)))
    traffic.init_app(app)
    assert app.extensions["trafficcore"] is traffic
    # one function under two names is exempt under both
    assert statuses(app, "/health") == [200] * 3
    app = app_of(("/", lambda: "ok"), ("/health", ok))
    traffic.init_app(app)
    client = app.test_client()
    answers = [client.get("/"), client.get("/nowhere"), client.get("/")]
    assert [answer.status_code for answer in answers] == [200, 404, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"all";r=1;t=30', '"all";r=0;t=30', '"all";r=0;t=30',
    ]  # fmt: skip
    assert client.get("/health").status_code == 200
    assert "ratelimit" not in client.get("/health").headers


def test_an_exempt_view_is_exempt_however_it_is_decorated(clock):
    traffic = Traffic(limits=[Limit("1/day")], clock=clock)
    own = limited("2/min", clock=clock)

    def view():
        return "ok"

    def other():
        return "ok"

    app = app_of(("/a", traffic.exempt(own(view))), ("/b", own(traffic.exempt(other))))
    traffic.init_app(app)
    assert statuses(app, "/a", 2) == [200, 200]
    assert statuses(app, "/b", 1) == [429]  # its own limit, which it shares with the other


def test_blueprints_and_endpoints_name_what_limits_are_about(clock):
    admin, free = Blueprint("admin", "x"), Blueprint("free", "x")
    for one in (admin, free):
        one.add_url_rule("/", endpoint="index", view_func=ok)
        one.add_url_rule("/login", endpoint="login", view_func=ok)
    app = app_of(("/", ok))
    limits = [
        Limit("3/min", name="admin", on=blueprint("admin")),
        Limit("1/min", name="login", on=endpoint("admin.login", "free.login")),
        Limit("4/day", name="rest", exempt=blueprint("admin", "free")),
    ]
    traffic = Traffic(app, limits=limits, clock=clock)
    app.register_blueprint(admin, url_prefix="/admin")
    app.register_blueprint(traffic.exempt(free), url_prefix="/free")
    assert statuses(app, "/admin/login") == [200, 429, 429]
    assert statuses(app, "/admin/") == [200, 200, 429]
    assert statuses(app, "/free/login", 5) == [200] * 5
    assert statuses(app, "/", 5) == [200] * 4 + [429]
    assert [row["refused"] for row in traffic.limits.snapshot()] == [1, 2, 1]


def nested(shown):
    """An application with one blueprint in three places: inside another, by a new name, plainly."""
    app, outer, inner = app_of(("/", ok)), Blueprint("outer", "x"), Blueprint("inner", "x")
    inner.add_url_rule("/", endpoint="index", view_func=lambda: "ok")
    outer.register_blueprint(shown(inner), url_prefix="/in")
    app.register_blueprint(outer, url_prefix="/out")
    app.register_blueprint(inner, url_prefix="/new", name="renamed")
    app.register_blueprint(inner, url_prefix="/plain")
    return app


def met(app):
    """What of it a limit of one a day is about: that is refused the second time."""
    paths = ("/out/in/", "/new/", "/plain/", "/")
    return [path for path in paths if 429 in statuses(app, path, 2)]


def test_a_blueprint_is_exempt_wherever_it_is_registered(clock):
    traffic = Traffic(limits=[Limit("1/day")], clock=clock)
    app = nested(traffic.exempt)
    traffic.init_app(app)
    assert met(app) == ["/"]


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("inner", ["/out/in/", "/new/", "/plain/"]),
        ("outer", ["/out/in/"]),
        ("outer.inner", ["/out/in/"]),
        ("renamed", ["/new/"]),
    ],
)
def test_a_blueprint_is_named_by_its_own_name_or_by_that_of_one_place(name, paths, clock):
    app = nested(lambda inner: inner)
    limit = Limit("1/day", by=lambda request: request.path, on=blueprint(name))
    Traffic(app, limits=[limit], clock=clock)
    assert met(app) == paths


def test_a_handler_of_the_application_words_the_refusal(clock):
    app = app_of(("/", limited("1/min", clock=clock)(ok)))

    @app.errorhandler(429)
    def worded(error):
        return {"error": error.name}, 429, {"retry-after": error.response.headers["retry-after"]}

    assert statuses(app, "/", 2) == [200, 429]
    answer = app.test_client().get("/")
    assert answer.json == {"error": "Too Many Requests"}
    assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize("status", [429, 498, 503])
def test_any_status_and_a_problem_document(clock, status):
    app = app_of(("/", limited("1/min", status=status, body="wait", clock=clock)(ok)))
    assert statuses(app, "/", 2) == [200, status]
    assert app.test_client().get("/").text == "wait"
    app = app_of(("/", ok))
    Traffic(app, limits=[Limit("1/min", status=status, name="all")], problem=True, clock=clock)
    assert statuses(app, "/", 2) == [200, status]
    answer = app.test_client().get("/")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.get_json(force=True)["violated-policies"] == ["all"]


def test_what_other_extensions_add_after_a_request_is_added_to_refusals(clock):
    app = app_of(("/", ok))
    Traffic(app, limits=[Limit("1/min")], clock=clock)

    @app.after_request
    def cors(response):
        response.headers["access-control-allow-origin"] = "*"
        return response

    client = app.test_client()
    answers = [client.get("/"), client.get("/")]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert [answer.headers["access-control-allow-origin"] for answer in answers] == ["*", "*"]


def test_parameters_of_routes_and_functions_of_the_request_are_keys(clock):
    def user():
        return request.headers.get("x-user", type=int)

    own = limited(
        "3/min",
        by=first_of(path_parameter("user"), lambda _: user()),
        cost=lambda request: request.args.get("n", 1, int),
        exempt=lambda request: request.method == "HEAD",
        clock=clock,
    )
    app = app_of(("/users/<user>", own(ok)), ("/", own(ok)))
    assert statuses(app, "/users/ada?n=3", 2) == [200, 429]
    assert statuses(app, "/users/bob?n=3", 2) == [200, 429]
    assert statuses(app, "/?n=2", 2, headers={"x-user": "7"}) == [200, 429]
    assert statuses(app, "/", 5) == [200] * 5
    assert app.test_client().head("/users/ada").status_code == 200


def test_headers_are_there_once_on_errors_as_well(clock):
    def boom():
        raise RuntimeError("boom")

    def own():
        return Response("ok", headers={"x-ratelimit-limit": "7"})

    app = app_of(("/boom", boom), ("/own", own))
    Traffic(app, limits=[Limit("9/min")], headers="envoy", clock=clock)
    broken = app.test_client().get("/boom")
    assert broken.status_code == 500
    assert broken.headers.getlist("x-ratelimit-remaining") == ["8"]
    assert app.test_client().get("/own").headers.getlist("x-ratelimit-limit") == ["7"]


def test_several_are_one_verdict_and_the_middleware_tells_of_all(clock):
    own = limited("1/min", name="own", clock=clock)

    @own
    @limited("9/min", name="wide", clock=clock)
    def view():
        return Response(iter([b"a", b"b"]))

    app = app_of(("/", view))
    shell = WsgiTraffic(
        app.wsgi_app, limits=[Limit("5/min", name="all")], headers="ietf", clock=clock
    )
    app.wsgi_app = shell
    client = app.test_client()
    first, second = client.get("/"), client.get("/")
    assert (first.status_code, first.data, second.status_code) == (200, b"ab", 429)
    assert first.headers.getlist("ratelimit") == ['"all";r=4;t=12, "own";r=0;t=60, "wide";r=8;t=7']
    assert second.headers.getlist("ratelimit") == ['"all";r=4;t=12, "own";r=0;t=60']
    assert shell.limits["all"].left("", clock())[0] == 4


def test_costs_known_afterwards_are_corrected(clock):
    @limited("100/min", cost=10, name="tokens", clock=clock)
    def view(spent):
        receipt().correct(int(spent), "tokens")
        return {"left": receipt().remaining("tokens")}

    app = app_of(("/<spent>", view), ("/", lambda: {"left": receipt().remaining()}))
    Traffic(app, limits=[Limit("9/s", name="all")], headers="envoy", clock=clock)
    client = app.test_client()
    answer = client.get("/95")
    assert answer.json == {"left": 5}
    assert answer.headers["x-ratelimit-limit"] == "100"
    assert answer.headers["x-ratelimit-remaining"] == "5"
    assert client.get("/1").status_code == 429
    assert client.get("/").json == {"left": 7}  # what was refused has paid nothing


def test_threads_never_get_one_too_many(clock):
    app = app_of(("/", limited("50/day", by=client_address(), clock=clock)(ok)))
    Traffic(app, limits=[Limit("1000/day", by=header("x-key"))], clock=clock)
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(statuses(app, "/", 20))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 50 + [429] * 70


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (limited, "a limit needs a rate"),
        (lambda: limited("1/s", by="key"), "by must be a key such as header"),
        (lambda: limited("1/s")("index"), "limited\\(\\) is for views and blueprints"),
        (lambda: limited("1/s")(Flask), "limited\\(\\) is for views and blueprints"),
        (lambda: Traffic(limits=[Limit("1/s")], headers="all"), "headers must be one of"),
        (lambda: Traffic(limits=["1/s"]), "limits must be Limit"),
    ],
)
def test_faults_are_told_when_the_application_starts(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
