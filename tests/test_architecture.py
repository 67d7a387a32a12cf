"""The rings: who may import whom, and what no inner ring may touch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "trafficcore"
FILES = sorted(SRC.rglob("*.py"))

#: `errors` and `outcome` are open to all; the top level and the command line may import anything.
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "spec": set(),
    "engine": {"core", "spec"},
    "live": {"core", "spec", "engine"},
    "web": {"engine", "live", "spec"},
    "store": {"core"},
    "discovery": {"core", "spec", "engine"},
    "manifest": {"spec"},
    "observe": {"engine"},
    "sim": {"engine", "spec", "manifest", "observe"},
    "testing": {"engine", "live", "manifest", "sim", "web"},
    "explain": {"core", "spec", "engine"},
    "judge": {"spec", "engine", "manifest"},
}
#: Imports inside a function that point outward on purpose: (file, package).
EDGES = {
    ("engine/engine.py", "live"),  # Engine.load and Engine.reload read the world
    ("live/loading.py", "manifest"),  # YAML only for those who bring YAML
    ("live/loading.py", "observe"),  # the default listener
    ("discovery/file.py", "manifest"),  # as above
    ("live/loading.py", "discovery"),  # names are looked up for those alone who have some
    ("live/sharing.py", "store"),  # files and locks only for those who share a limit
}
COMMAND_LINE = {"cli", "clients", "demo", "__main__", "__init__", "errors", "outcome", "limits"}
#: The world: banned in rings 1 and 2, but for the lock and the fork hook of guard.py.
WORLD = {"asyncio", "logging", "os", "random", "socket", "threading", "time", "datetime"}
#: Each third-party package is imported by these places alone.
HOMES = {
    "attrs": {""},
    "numpy": {"core/outlier", "sim"},
    "matplotlib": {"sim/picture"},
    "pytest": {"testing/plugin"},
    "yaml": {"manifest"},
    "dns": {"discovery/dns_lookup"},
    "click": {"cli", "demo"},
    "rich": {"cli", "demo"},
    "rich_click": {"cli"},
    "httpx": {"web/httpx", "demo"},
    "httpx2": {"web/httpx", "demo"},
    "requests": {"web/requests"},
    "urllib3": {"web/requests"},
    "uvicorn": {"demo"},
    "starlette": {"web/starlette"},
    "fastapi": {"web/fastapi"},
    "flask": {"web/flask"},
    "werkzeug": {"web/flask"},
    "django": {"web/django"},
    "asgiref": {"web/django"},
}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (module, inside a function or a type-checking block) for each import of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or "", id(node) not in top


def place(path: Path) -> tuple[str, str]:
    where = path.relative_to(SRC).as_posix()
    return where, where.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: place(path)[0])
def test_a_file_imports_only_what_its_ring_may(path: Path) -> None:
    where, ring = place(path)
    for module, inside in imports(path):
        package, _, rest = module.partition(".")
        if package != "trafficcore":
            continue
        other = rest.split(".")[0]
        if ring in COMMAND_LINE or other in {ring, "", "errors", "outcome"}:
            continue
        if inside and (where, other) in EDGES:
            continue
        if ring == "errors" and inside:  # a name for type checkers
            continue
        assert other in ALLOWED[ring], f"{where} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: place(path)[0])
def test_the_inner_rings_do_not_touch_the_world(path: Path) -> None:
    where, ring = place(path)
    if ring not in {"core", "spec", "engine"} or where == "engine/guard.py":
        return
    touched = {module.split(".")[0] for module, _ in imports(path)} & WORLD
    assert not touched, f"{where} imports {touched}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: place(path)[0])
def test_a_third_party_package_has_one_home(path: Path) -> None:
    where, _ = place(path)
    known = set(sys.stdlib_module_names) | {"trafficcore"}
    for module, _inside in imports(path):
        package = module.split(".")[0]
        if package in known:
            continue
        assert package.removesuffix("s") + "s" in HOMES or package in HOMES, f"{where}: {module}"
        homes = HOMES.get(package, HOMES.get("attrs", set()))
        assert any(where.startswith(home) for home in homes), f"{where} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: place(path)[0])
def test_no_file_is_longer_than_300_lines(path: Path) -> None:
    assert path.read_text("utf-8").count("\n") <= 300


def _loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(name.split('.')[0] for name in sys.modules))"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_importing_trafficcore_pulls_in_none_of_the_heavy_packages() -> None:
    # what an environment's own .pth files bring along is not ours
    brought = _loaded("import trafficcore") - _loaded("pass")
    assert brought - set(sys.stdlib_module_names) <= {"trafficcore", "attr", "attrs"}
