"""The fixture every row uses."""

from typing import Any

import pytest

from benchmarks.measure import Row


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="few rounds: shows that it runs")


@pytest.fixture
def row(benchmark: Any, request: pytest.FixtureRequest) -> Row:
    return Row(benchmark, smoke=request.config.getoption("--smoke"))
