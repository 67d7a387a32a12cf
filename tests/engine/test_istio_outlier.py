"""What Istio makes of outlierDetection is what the ejector is given."""

import attrs
import pytest

from support.policies import calling
from trafficcore.core.outlier import Settings
from trafficcore.engine import Engine
from trafficcore.engine.istio_outlier import envoy_fields, envoy_settings
from trafficcore.errors import ConfigError
from trafficcore.outcome import Outcome
from trafficcore.spec import OutlierDetection

MANIFEST = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, trafficPolicy: {outlierDetection: {}}}
"""


def test_nothing_written_leaves_all_but_success_rates_to_envoy_and_panic_off():
    assert envoy_fields() == ({"enforcing_success_rate": 0}, 0)


def test_a_count_is_enforced_and_zero_is_not():
    fields, _ = envoy_fields(consecutive_5xx_errors=4, consecutive_gateway_errors=0)
    assert fields == {
        "enforcing_success_rate": 0,
        "consecutive_5xx": 4,
        "enforcing_consecutive_5xx": 100,
        "consecutive_gateway_failure": 0,
        "enforcing_consecutive_gateway_failure": 0,
    }
    fields, _ = envoy_fields(consecutive_5xx_errors=0, consecutive_gateway_errors=2)
    assert (fields["consecutive_5xx"], fields["enforcing_consecutive_5xx"]) == (0, 0)
    assert fields["enforcing_consecutive_gateway_failure"] == 100


def test_times_are_copied_and_a_percentage_of_zero_is_not():
    fields, _ = envoy_fields(interval=5, base_ejection_time=20, max_ejection_percent=0)
    assert fields == {"enforcing_success_rate": 0, "interval": 5, "base_ejection_time": 20}
    fields, _ = envoy_fields(max_ejection_percent=100)
    assert fields["max_ejection_percent"] == 100


def test_local_failures_count_only_when_split():
    fields, _ = envoy_fields(consecutive_local_origin_failures=3)
    assert fields == {"enforcing_success_rate": 0}
    fields, _ = envoy_fields(
        split_external_local_origin_errors=True, consecutive_local_origin_failures=3
    )
    assert fields == {
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "enforcing_consecutive_local_origin_failure": 100,
    }
    fields, _ = envoy_fields(
        split_external_local_origin_errors=True, consecutive_local_origin_failures=0
    )
    assert "consecutive_local_origin_failure" not in fields


def test_min_health_percent_is_the_panic_threshold():
    assert envoy_fields(min_health_percent=30)[1] == 30
    assert envoy_fields(min_health_percent=-1)[1] is None
    assert envoy_settings(OutlierDetection())[1] == 0
    assert envoy_settings(OutlierDetection(min_health_percent=40))[1] == 40


def test_the_settings_of_the_article():
    spec = OutlierDetection(
        consecutive_5xx=3, interval=5, base_ejection_time=20, max_ejection_percent=100
    )
    settings, _ = envoy_settings(spec)
    assert settings == Settings(
        consecutive_5xx=3,
        interval=5,
        base_ejection_time=20,
        max_ejection_percent=100,
        consecutive_gateway_failure=0,
        enforcing_success_rate=0,
    )


def test_split_settings_keep_the_default_of_five():
    settings, _ = envoy_settings(OutlierDetection(split_local_origin=True))
    assert settings.consecutive_local_origin_failure == 5
    assert settings.enforcing_consecutive_local_origin_failure == 100


@pytest.mark.parametrize(
    ("istio", "first"),
    [
        (None, False),
        ("1.9", True),
        ("1.22", True),
        ("1.22.3", True),
        ("1.22-alpha.1", True),
        ("1.23", False),
        ("1.100", False),
        ("2.0", False),
    ],
)
def test_up_to_1_22_the_first_host_always_goes(istio, first):
    settings, _ = envoy_settings(OutlierDetection(), istio=istio)
    assert settings.always_eject_one_host is first
    assert (
        attrs.evolve(settings, always_eject_one_host=False) == envoy_settings(OutlierDetection())[0]
    )


@pytest.mark.parametrize(("istio", "out"), [(None, 0), ("1.23", 0), ("1.22", 1)])
def test_an_engine_is_of_the_version_it_is_given(istio, out):
    engine = Engine.load(
        MANIFEST, endpoints={"web": ["a:1", "b:1", "c:1"]}, istio=istio, listeners=()
    )
    for now in range(20):
        engine.admit(calling("web"), now / 100).settle(Outcome.FAILURE, now / 100, 503)
    (cluster,) = engine.snapshot(1)["clusters"]
    assert sum(entry["ejected"] for entry in cluster["endpoints"]) == out


def test_no_engine_is_made_of_a_version_that_is_none():
    with pytest.raises(ConfigError, match="istio must be a version"):
        Engine.load(MANIFEST, istio="newest")


@pytest.mark.parametrize("istio", ["", "latest", "1", "1.x", "1.22rc"])
def test_a_version_that_is_none_is_told(istio):
    with pytest.raises(ConfigError, match=f"istio must be a version .* not {istio!r}"):
        envoy_settings(OutlierDetection(), istio=istio)
