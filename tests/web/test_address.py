"""Whose request it is, and what a caller can write into a header without changing that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.errors import ConfigError
from trafficcore.web.address import client_of, hops, key_of, networks

TRUSTED = networks(["10.0.0.0/8", "127.0.0.1", "fd00::/8"])


def client(peer, *lines, header="x-forwarded-for", trusted=TRUSTED):
    return client_of(peer, lambda: lines, trusted, header)


def test_without_trusted_proxies_it_is_the_peer():
    assert client("203.0.113.9", "1.2.3.4", trusted=()) == "203.0.113.9"


def test_an_untrusted_peer_is_the_client_whatever_it_says():
    assert client("203.0.113.9", "1.2.3.4") == "203.0.113.9"
    assert client("203.0.113.9", "for=1.2.3.4", header="forwarded") == "203.0.113.9"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, 10.1.1.1"], "198.51.100.7"),
        (["6.6.6.6, 198.51.100.7, 10.1.1.1"], "198.51.100.7"),
        (["6.6.6.6", "198.51.100.7, 10.1.1.1"], "198.51.100.7"),
        (["6.6.6.6", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
        (["198.51.100.7:4711, 10.1.1.1:80"], "198.51.100.7"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["2001:db8::1%eth0"], "2001:db8::1"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["6.6.6.6, unknown"], "10.0.0.1"),
        (["6.6.6.6, _hidden, 10.1.1.1"], "10.1.1.1"),
        (["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
        ([], "10.0.0.1"),
        ([""], "10.0.0.1"),
        ([" , ,"], "10.0.0.1"),
    ],
)
def test_hops_are_read_from_right_to_left_up_to_the_first_that_is_not_trusted(lines, expected):
    assert client("10.0.0.1", *lines) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=6.6.6.6, for=198.51.100.7;proto=https;by=10.1.1.1", "198.51.100.7"),
        ("for=198.51.100.7, for=unknown", "10.0.0.1"),
        ('for="_gazonk"', "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_writes_it(line, expected):
    assert client("10.0.0.1", line, header="forwarded") == expected


def test_a_peer_in_ipv6s_guise_is_trusted_as_what_it_is():
    assert client("::ffff:10.0.0.1", "198.51.100.7") == "198.51.100.7"


def test_of_a_long_header_the_end_counts():
    flood = ", ".join(["6.6.6.6"] * 100_000)
    assert client("10.0.0.1", flood, "198.51.100.7") == "198.51.100.7"
    assert len(hops([flood], "x-forwarded-for")) < 1000


@given(st.text(max_size=60))
def test_what_stands_left_of_the_clients_own_hop_changes_nothing(spoofed):
    spoofed = spoofed.replace("\n", "")
    assert client("10.0.0.1", f"{spoofed}, 198.51.100.7, 10.9.9.9") == "198.51.100.7"


@given(st.lists(st.text(max_size=30), max_size=4))
def test_whatever_a_header_holds_it_is_read(lines):
    for header in ("x-forwarded-for", "forwarded"):
        assert isinstance(client("10.0.0.1", *lines, header=header), str)


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_the_peer_of_a_unix_socket_is_believed_by_name(header):
    line = "203.0.113.9" if header == "x-forwarded-for" else "for=203.0.113.9"
    behind, trusting = networks(["unix"]), networks(["unix", "203.0.113.0/24"])
    assert client("", line, header=header, trusted=behind) == "203.0.113.9"
    assert client("", line, header=header, trusted=TRUSTED) == ""
    assert client("", header=header, trusted=behind) == ""
    assert client("198.51.100.7", line, header=header, trusted=behind) == "198.51.100.7"
    assert client("unix", line, header=header, trusted=behind) == "unix"
    more = "198.51.100.7, 203.0.113.9"
    assert client("", more, trusted=trusting) == "198.51.100.7"
    assert client("", more, trusted=behind) == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("testclient", "testclient"),
        ("", "unknown"),
    ],
)
def test_a_client_is_an_address_or_a_64(address, key):
    assert key_of(address) == key


def test_what_is_no_network_is_told():
    with pytest.raises(ConfigError, match="an address, a network or \"unix\", not 'proxy'"):
        networks(["10.0.0.0/8", "proxy"])
