"""The arrows of the house: who may import whom."""

import ast
from pathlib import Path

import pytest

TWIN = Path(__file__).resolve().parent.parent / "twin"
FAMILIES = {"gpu", "workload", "scheduling", "cluster", "network", "storage", "power", "cooling"}
FAMILIES |= {"site"}
SHARED = {"errors", "units", "records", "config", "rng", "schema", "metrics", "meter", "physics"}
"""What a family may import besides itself."""
MEETING_PLACES = {"jobs", "facility", "faults.py", "build.py"}
"""The only rooms that import SimPy; processes live here."""
GROUND = {"errors", "units", "records", "schema", "metrics", "meter", "config", "rng"}


def imports(path: Path) -> set[str]:
    """Return the modules of twin, and other packages, that *path* imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def rooms(path: Path) -> set[str]:
    """Return the first-level parts of twin that *path* imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("twin.")}


def files() -> list[Path]:
    return sorted(path for path in TWIN.rglob("*.py") if "_data" not in path.parts)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_families_are_blind_to_each_other(family):
    allowed = SHARED | {family} | ({"gpu"} if family == "cluster" else set())
    for path in sorted((TWIN / family).rglob("*.py")):
        stray = rooms(path) & {p.stem for p in TWIN.iterdir()}
        assert stray <= allowed, f"{path.name} imports {sorted(stray - allowed)}"


def test_simpy_lives_only_where_families_meet():
    users = {
        path for path in files() if any(name.split(".")[0] == "simpy" for name in imports(path))
    }
    assert {path.relative_to(TWIN).parts[0] for path in users} <= MEETING_PLACES


def test_the_ground_floor_stands_on_itself():
    for name in sorted(GROUND):
        stray = rooms(TWIN / f"{name}.py") & {p.stem for p in TWIN.iterdir()}
        assert stray <= GROUND | {name}, f"{name}.py imports {sorted(stray)}"


def test_no_two_files_import_each_other():
    """No ring, at import time or hidden in a function."""
    graph = {}
    for path in files():
        module = ".".join(path.relative_to(TWIN.parent).with_suffix("").parts)
        graph[module.removesuffix(".__init__")] = imports(path)
    del graph["twin"]  # the front door hands out what is inside, and everyone comes in by it
    graph = {module: targets & graph.keys() for module, targets in graph.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for target in sorted(graph[module] - {module}):
                visit(target, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_every_module_says_what_it_promises():
    for path in files():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
