"""What Istio makes of an outlierDetection in Envoy's terms."""

from typing import Any

from conformance.envoy.balance_steps import play, same
from trafficcore.engine.istio_outlier import envoy_fields


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


class Adapter:
    def __init__(self, hosts: list[str], *, outlier_detection: dict[str, Any] | None) -> None:
        assert not hosts, "a translation has no hosts"
        self.given = outlier_detection
        self.fields: dict[str, Any] | None = None
        self.panic: int | None = None

    def op_translate(self, *, t: Any = None) -> None:
        if self.given is None:
            self.fields, self.panic = None, None
            return
        # null is a field that was not written
        given = {name: value for name, value in self.given.items() if value is not None}
        # the old name, which the new one wins over
        old = given.pop("consecutive_errors", None)
        if old is not None:
            given.setdefault("consecutive_5xx_errors", old)
        self.fields, self.panic = envoy_fields(**given)

    def expect_outlier_detection(self, fields: dict[str, Any] | None) -> None:
        same(self.fields, fields)

    def expect_healthy_panic_threshold(self, percent: int | None) -> None:
        same(self.panic, percent)
