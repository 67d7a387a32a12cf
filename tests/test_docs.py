"""Every Python fence of the README and the docs runs, from the project's folder."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

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


def test_the_field_tables_are_those_of_the_loader() -> None:
    spec = importlib.util.spec_from_file_location("fields", ROOT / "docs" / "fields.py")
    assert spec is not None
    assert spec.loader is not None
    fields = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fields)
    for name, write in fields.PAGES.items():
        written = (ROOT / "docs" / "reference" / name).read_text("utf-8")
        assert written == write(), "run: python docs/fields.py"
