"""Every conformance vector is a test. `--vectors DIR` runs another folder in the place of ours."""

from pathlib import Path

import pytest

from conformance import formats

HERE = Path(__file__).parent
OURS = HERE / "vectors"
EXPECTED = pytest.mark.xfail(strict=True, reason="a part that is not built yet")
EXPECTED_FAILURES = HERE / "expected_failures.txt"


def _expected_failures() -> set[str]:
    lines = EXPECTED_FAILURES.read_text("utf-8").splitlines()
    return {line for line in map(str.strip, lines) if line and not line.startswith("#")}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" not in metafunc.fixturenames:
        return
    other = metafunc.config.getoption("--vectors")
    failing = set() if other else _expected_failures()
    found = [
        pytest.param((module, case), id=name, marks=[EXPECTED] * (name in failing))
        for name, module, case in formats.read(other or OURS)
    ]
    metafunc.parametrize("vector", found)


def test_vector(vector: tuple[str, formats.Case]) -> None:
    module, case = vector
    formats.runner(module)(case)


def test_there_are_as_many_vectors_as_were_shared() -> None:
    names = [name for name, _, _ in formats.read(OURS)]
    assert len(names) == len(set(names))
    assert len(names) >= 130


def test_every_expected_failure_names_a_vector() -> None:
    assert _expected_failures() <= {name for name, _, _ in formats.read(OURS)}


@pytest.mark.parametrize("kind", sorted(formats.ENVOY))
def test_an_envoy_case_is_told_by_its_content(kind: str) -> None:
    """A folder may name its files as it likes."""
    cases = formats.load(OURS / "envoy" / f"{kind}.json")
    told = {formats.envoy_kind(case) for case in cases}
    assert told <= {kind, None}
    assert kind in told
