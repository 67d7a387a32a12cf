"""One endpoint as data."""

import pytest

from trafficcore.errors import ConfigError
from trafficcore.spec import EndpointSpec


def test_labels_are_the_same_however_they_are_given():
    given = ({"b": "2", "a": "1"}, [("b", "2"), ("a", "1")], (("a", "1"), ("b", "2")))
    assert len({EndpointSpec("a:1", labels=labels) for labels in given}) == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"address": ""}, "address"),
        ({"address": 7}, "address"),
        ({"locality": None}, "locality"),
        ({"weight": 0}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"labels": "ab"}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": 5}, "labels"),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(fields, told):
    with pytest.raises(ConfigError, match=told) as error:
        EndpointSpec(**{"address": "a:1", **fields})
    assert repr(next(iter(fields.values()))) in str(error.value)
