"""The pytest plugin: its fixtures are there once it is installed, and it costs nothing unused."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


def run(pytester, text):
    pytester.makepyfile(text)
    return pytester.runpytest("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q")


def test_the_fixtures_are_found_without_an_import(pytester):
    result = run(
        pytester,
        """
        from trafficcore import RateLimiter

        def test_one_a_minute(virtual_time):
            limiter = RateLimiter("1/min", clock=virtual_time)
            assert limiter.try_acquire()
            assert not limiter.try_acquire()
            virtual_time.advance(60)
            assert limiter.try_acquire()

        LIMITER = RateLimiter("1/day")

        def test_off(no_limits):
            assert all(LIMITER.try_acquire() for _ in range(5))

        def test_on_again():
            assert LIMITER.try_acquire()
            assert not LIMITER.try_acquire()

        def test_each_test_has_a_time_of_its_own(virtual_time):
            assert virtual_time() == 0
        """,
    )
    result.assert_outcomes(passed=4)


def test_limits_are_on_again_after_a_test_that_fails(pytester):
    result = run(
        pytester,
        """
        from trafficcore import RateLimiter

        LIMITER = RateLimiter("1/day")

        def test_off(no_limits):
            assert LIMITER.try_acquire() and LIMITER.try_acquire()
            raise KeyError

        def test_on_again():
            assert LIMITER.try_acquire()
            assert not LIMITER.try_acquire()
        """,
    )
    result.assert_outcomes(passed=1, failed=1)


def test_a_scenario_that_fails_shows_its_timeline_and_not_our_code(pytester):
    result = run(
        pytester,
        """
        from trafficcore.testing import check_scenario

        TEXT = '''
        kind: Scenario
        spec:
          duration: 10s
          loads: [{name: a, url: "http://x/", rate: 1}]
          expect: [no 2xx]
        '''

        def test_it():
            check_scenario(TEXT)
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*expectations fail", "*FAILS  no 2xx  (10)", "*a: 10 answers in*"]
    )
    assert "testing/scenarios.py" not in result.stdout.str()


@pytest.mark.parametrize("module", ["trafficcore.testing.plugin", "trafficcore.testing"])
def test_an_import_pulls_in_nothing_heavy(module):
    code = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"numpy", "yaml", "matplotlib", "click", "rich", "httpx", "httpx2"}
    assert "trafficcore.sim" not in loaded
    assert "trafficcore.testing.switch" not in loaded


def test_an_unknown_name_is_told():
    import trafficcore.testing

    with pytest.raises(AttributeError, match="no attribute 'Virtual'"):
        trafficcore.testing.Virtual  # noqa: B018


def test_all_that_is_public_is_there():
    import trafficcore.testing

    assert all(hasattr(trafficcore.testing, name) for name in trafficcore.testing.__all__)
