"""Every Python fence of the README and the docs runs, from the project's folder."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SYBIL = Sybil(parsers=[PythonCodeBlockParser()], patterns=["*.md"], path=str(ROOT))


@pytest.fixture
def at_home() -> Iterator[None]:
    before = Path.cwd()
    os.chdir(ROOT)
    yield
    os.chdir(before)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_runs(page: Path, at_home: None) -> None:
    document = SYBIL.parse(page)
    for example in document.examples():
        example.evaluate()


def test_the_pages_have_examples() -> None:
    examples = sum(len(list(SYBIL.parse(page).examples())) for page in PAGES)
    assert examples >= 15


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_field_tables_are_those_of_the_loader() -> None:
    for name, write in _script("fields").PAGES.items():
        written = (ROOT / "docs" / "reference" / name).read_text("utf-8")
        assert written == write(), "run: python docs/fields.py"


def test_the_page_of_checks_is_that_of_the_registry() -> None:
    written = (ROOT / "docs" / "reference" / "checks.md").read_text("utf-8")
    assert written == _script("checks").page(), "run: python docs/checks.py"
