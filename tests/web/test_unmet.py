"""Limits that nothing can meet, for a name is mistyped: said in the log, once, and let by."""

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Blueprint, Flask

from trafficcore.limits import Limit, client_address, first_of, path_parameter
from trafficcore.web import flask, starlette
from trafficcore.web.flask import Traffic, blueprint, endpoint

WRONG = path_parameter("usr")


def of_fastapi(limited, path="/u/{user}"):
    app = FastAPI()

    @app.get(path)
    @limited
    def profile(user: str = "") -> str:
        return user

    return TestClient(app)


def of_flask(limited, path="/u/<user>"):
    app = Flask("unmet")

    @app.get(path)
    @limited
    def profile(user=""):
        return user

    return app.test_client()


FRAMEWORKS = pytest.mark.parametrize(
    ("make", "limited"),
    [
        (of_fastapi, starlette.limited),
        (of_flask, flask.limited),
    ],
    ids=["fastapi", "flask"],
)


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "trafficcore"]


@FRAMEWORKS
def test_a_parameter_that_the_route_has_not_is_told_once(make, limited, clock, caplog):
    client = make(limited("1/min", by=WRONG, name="own", clock=clock))
    statuses = [client.get(f"/u/{user}").status_code for user in "aab"]
    assert statuses == [200] * 3
    (message,) = told(caplog)
    assert message.startswith("limit 'own' on ")
    assert message.endswith(
        " limits nothing there, as it is kept by the path parameter 'usr': the route has user"
    )


@FRAMEWORKS
def test_one_that_it_has_is_not(make, limited, clock, caplog):
    either = first_of(WRONG, client_address())
    own = limited(
        Limit("1/min", by=path_parameter("user"), name="own"),
        Limit("9/min", by=either, name="either"),
        clock=clock,
    )
    client = make(own)
    statuses = [client.get(f"/u/{user}").status_code for user in "aab"]
    assert statuses == [200, 429, 200]
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("path", "on", "message"),
    [
        ("/u", "/typo", "about '/typo': the route is /u"),
        ("/u", ["/typo", "POST /v"], "about ['/typo', 'POST /v']: the route is /u"),
        ("/u", "/u", ""),
        ("/u", "POST /u", ""),  # another request of this route may be one
        ("/<user>", "/v", ""),
    ],
)
def test_a_path_that_is_not_the_routes_is_told(path, on, message, clock, caplog):
    client = of_flask(flask.limited("1/min", on=on, name="own", clock=clock), path)
    assert [client.get("/u").status_code for _ in range(2)] == [200, 429 if on == "/u" else 200]
    assert [text.partition("as it is ")[2] for text in told(caplog)] == [message] * bool(message)


def test_a_view_of_two_paths_is_left_alone(clock, caplog):
    own = flask.limited("1/min", on="/b", clock=clock)
    app = Flask("two")
    view = own(lambda: "ok")
    app.add_url_rule("/a", endpoint="view", view_func=view)
    app.add_url_rule("/b", endpoint="view", view_func=view)
    statuses = [app.test_client().get(path).status_code for path in ("/a", "/a", "/b", "/b")]
    assert statuses == [200, 200, 200, 429]
    assert told(caplog) == []


def test_endpoints_and_blueprints_that_are_none_are_told_once(clock, caplog):
    app, admin = Flask("named"), Blueprint("admin", "x")
    app.add_url_rule("/", endpoint="index", view_func=lambda: "ok")
    limits = [
        Limit("1/min", name="a", on=endpoint("index", "admin.lgin")),
        Limit("9/min", name="b", exempt=blueprint("admin", "adm")),
    ]
    Traffic(app, limits=limits, clock=clock)
    app.register_blueprint(admin, name="back")
    with caplog.at_level(logging.WARNING):
        statuses = [app.test_client().get("/").status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
    none = "and the application has none of that name"
    assert told(caplog) == [
        f"a limit names the endpoint 'admin.lgin', {none}",
        f"a limit names the blueprint 'adm', {none}",
    ]


@pytest.mark.parametrize("on", ["POST /login", "/login", "POST /login/", "/*"])
@pytest.mark.parametrize("rule", ["/login", "/login/"])
def test_where_the_router_minds_no_slash_at_the_end_neither_do_limits(rule, on, clock):
    app = Flask("lax")
    app.url_map.strict_slashes = False
    Traffic(app, limits=[Limit("2/min", on=on)], clock=clock)
    app.add_url_rule(rule, endpoint="login", view_func=lambda: "ok", methods=["POST"])
    client = app.test_client()
    statuses = [
        client.post(path).status_code for path in ("/login", "/login/", "/login", "/login/")
    ]
    assert statuses == [200, 200, 429, 429]
