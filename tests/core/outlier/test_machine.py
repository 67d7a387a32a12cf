"""The ejector and the log do the same, whatever happens and however late sweeps are run."""

from fractions import Fraction
from itertools import count

import hypothesis.strategies as st
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model.outlier_log import OutlierLog
from trafficcore.core.outlier import Ejected, Ejector, Result, Settings

HOSTS = range(4)
RUNS = (
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
)


def draws():
    """A fixed series of numbers that look drawn."""
    return (7919 * (k + 1) % 104729 for k in count())


percents = st.sampled_from([100, 100, 100, 100, 40, 0])
thresholds = st.sampled_from([2, 3, 1, 0])
volumes = st.integers(1, 3)
settings = st.fixed_dictionaries(
    {
        "interval": st.sampled_from([Fraction(10), Fraction(1, 3)]),
        "base_ejection_time": st.sampled_from([Fraction(5), Fraction(30), Fraction(1, 4)]),
        "max_ejection_time": st.sampled_from([Fraction(30), Fraction(70), Fraction(300)]),
        "max_ejection_time_jitter": st.sampled_from([0, 0, Fraction(7)]),
        "max_ejection_percent": st.sampled_from([100, 100, 100, 50, 25, 0]),
        "always_eject_one_host": st.booleans(),
        "successful_active_health_check_uneject_host": st.sampled_from([True, True, False]),
        "consecutive_5xx": thresholds,
        "enforcing_consecutive_5xx": percents,
        "consecutive_gateway_failure": thresholds,
        "enforcing_consecutive_gateway_failure": percents,
        "split_external_local_origin_errors": st.booleans(),
        "consecutive_local_origin_failure": thresholds,
        "enforcing_consecutive_local_origin_failure": percents,
        "success_rate_minimum_hosts": st.sampled_from([2, 3, 5]),
        "success_rate_request_volume": volumes,
        # no share of two to four rates is exactly as far from their mean as this
        "success_rate_stdev_factor": st.sampled_from([510, 1100, 1900]),
        "enforcing_success_rate": percents,
        "enforcing_local_origin_success_rate": percents,
        "failure_percentage_threshold": st.sampled_from([50, 85, 100, 0]),
        "failure_percentage_minimum_hosts": st.sampled_from([1, 2, 4]),
        "failure_percentage_request_volume": volumes,
        "enforcing_failure_percentage": percents,
        "enforcing_failure_percentage_local_origin": percents,
    }
)
codes = st.sampled_from([500, 200, 502, 503, 504, 599, 404, 499, 600])
#: How the calls of one host go in a stretch: answers, then connections.
stretch = st.tuples(
    st.lists(st.sampled_from([200, 500, 503]), max_size=5), st.lists(st.booleans(), max_size=5)
)


def word(change):
    if isinstance(change, Ejected):
        return change.key, "eject" if change.enforced else "unenforced", change.kind.value
    return change.key, "return", change.kind.value


class Outliers(RuleBasedStateMachine):
    @initialize(chosen=settings, hosts=st.integers(1, 4), start=st.integers(0, 3))
    def begin(self, chosen, hosts, start):
        self.settings = Settings(**chosen)
        numbers = draws()
        self.ejector = Ejector(self.settings, draw=lambda: next(numbers))
        self.log = OutlierLog(self.settings, draws())
        self.now = Fraction(start, 7)
        self.tallies = {}
        self.told = []
        for host in range(hosts):
            self.add(host)

    def go_on(self):
        if self.now >= self.ejector.next_sweep:
            self.ejector.sweep(self.now)
        self.log.sweep_until(self.now)

    @rule(host=st.sampled_from(HOSTS))
    def add(self, host):
        if host not in self.tallies:
            self.go_on()
            self.tallies[host] = self.ejector.add(host, self.now)
            self.log.add(host, self.now)

    @precondition(lambda self: self.tallies)
    @rule(data=st.data())
    def remove(self, data):
        self.go_on()
        host = data.draw(st.sampled_from(sorted(self.tallies)))
        self.ejector.remove(self.tallies.pop(host), self.now)
        self.log.remove(host, self.now)

    @precondition(lambda self: self.tallies)
    @rule(data=st.data(), code=codes, times=st.integers(1, 4))
    def answer(self, data, code, times):
        self.go_on()
        host = data.draw(st.sampled_from(sorted(self.tallies)))
        for _ in range(times):
            self.ejector.record(self.tallies[host], self.now, code)
            self.log.answer(host, self.now, code)

    @precondition(lambda self: self.tallies)
    @rule(data=st.data(), result=st.sampled_from(Result), code=st.none() | codes)
    def local(self, data, result, code):
        self.go_on()
        host = data.draw(st.sampled_from(sorted(self.tallies)))
        self.ejector.local(self.tallies[host], self.now, result, code)
        if not self.settings.split_external_local_origin_errors:
            code = (
                {"local_timeout": 504, "local_connect_failed": 503, "ext_failed": 500}.get(
                    result.value, None if result is Result.CONNECT_SUCCESS else 200
                )
                if code is None
                else code
            )
            if code is not None:
                self.log.answer(host, self.now, code)
        elif result is Result.EXT_FAILED:
            self.log.answer(host, self.now, 503)
        else:
            if result is Result.EXT_SUCCESS:
                self.log.answer(host, self.now, 200)
            failed = result in {Result.TIMEOUT, Result.CONNECT_FAILED}
            self.log.connection(host, self.now, ok=not failed)

    @precondition(lambda self: self.tallies)
    @rule(data=st.data())
    def health_check(self, data):
        self.go_on()
        host = data.draw(st.sampled_from(sorted(self.tallies)))
        self.ejector.health_check_ok(self.tallies[host], self.now)
        self.log.health_check_ok(host, self.now)

    @rule(stretches=st.tuples(*[stretch] * len(HOSTS)), intervals=st.integers(0, 3))
    def interval(self, stretches, intervals):
        """Every host is called, and then it is time for a sweep, or for some."""
        self.go_on()
        for host, (answers, connections) in zip(HOSTS, stretches, strict=True):
            if host not in self.tallies:
                continue
            for code in answers:
                self.ejector.record(self.tallies[host], self.now, code)
                self.log.answer(host, self.now, code)
            for ok in connections if self.settings.split_external_local_origin_errors else ():
                result = Result.CONNECT_SUCCESS if ok else Result.CONNECT_FAILED
                self.ejector.local(self.tallies[host], self.now, result)
                self.log.connection(host, self.now, ok=ok)
        self.now += self.settings.interval * intervals
        self.go_on()

    @rule(quarters=st.integers(0, 9))
    def wait(self, quarters):
        self.now += self.settings.interval * quarters / 4

    @rule(intervals=st.integers(3, 60))
    def wait_long(self, intervals):
        self.now += self.settings.interval * intervals
        self.go_on()

    @rule()
    def look(self):
        self.go_on()

    @invariant()
    def they_are_the_same(self):
        log, ejector = self.log, self.ejector
        assert log.hosts() == [t.key for t in self.tallies.values()] == list(self.tallies)
        self.told += [word(change) for change in ejector.take_changes()]
        assert self.told == [entry for entry in log.told if entry[1] != "overflow"]
        overflow = sum(entry[1] == "overflow" for entry in log.told)
        assert ejector.stats["ejections_overflow"] == overflow
        assert ejector.active == len(log.out()) == sum(t.ejected for t in self.tallies.values())
        for host, tally in self.tallies.items():
            assert tally.ejected == (log.ejection(host) is not None)
            assert tally.multiplier == log.multiplier(host)
            for name in RUNS:
                assert getattr(tally, name) == log.run(host, name), (host, name)
            if self.now < ejector.next_sweep:
                # sweeps of the log are all done: its last interval is the tally's
                assert (tally.last_successes, tally.last_failures) == log.calls(host, "external")
                local = (tally.last_local_successes, tally.last_local_failures)
                assert local == log.calls(host, "local")
                rate = log.rates["external"].get(host, -1)
                assert abs(tally.success_rate - rate) < 1e-9
                rate = log.rates["local"].get(host, -1)
                assert abs(tally.local_success_rate - rate) < 1e-9
        if self.now < ejector.next_sweep:
            assert abs(ejector.success_rate[0] - log.averages["external"]) < 1e-9
            assert abs(ejector.local_success_rate[0] - log.averages["local"]) < 1e-9

    @invariant()
    def what_is_marked_has_a_multiplier(self):
        marked = {tally.key for tally in self.ejector._marked}
        assert marked == {host for host, tally in self.tallies.items() if tally.multiplier}


Outliers.TestCase.settings = hypothesis_settings(
    max_examples=120, stateful_step_count=40, deadline=None
)
TestOutliers = Outliers.TestCase
