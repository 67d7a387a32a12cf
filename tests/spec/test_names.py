import pytest

from trafficcore.spec import full_name


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("httpbin", "httpbin.shop.svc.cluster.local"),
        ("HTTPBin", "httpbin.shop.svc.cluster.local"),
        ("reviews.prod", "reviews.prod"),
        ("httpbin.default.svc.cluster.local", "httpbin.default.svc.cluster.local"),
        ("WWW.Example.com", "www.example.com"),
        ("*", "*"),
        ("*.example.com", "*.example.com"),
        ("localhost", "localhost"),
        ("10.0.0.7", "10.0.0.7"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_short_host_is_a_service_of_the_namespace(host, full):
    assert full_name(host, "shop") == full
