"""The rooms of the suite: packages import each other in one direction, so that each can be read without those above."""

import ast
import re
from functools import cache
from pathlib import Path

import suite

ROOT = Path(suite.__file__).parent
# Their own files are above and below their packages (data/module.py reads what data/catalog.py lays down): each of
# these files is a room by itself.
_OPEN = ("suite", "suite.data")


def modules() -> dict[str, Path]:
    """Every module by its name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = ("suite", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room(module: str, packages: set[str]) -> str:
    """The package that a module lies in; the module itself where it lies open."""
    package = module if module in packages else module.rpartition(".")[0]
    return module if package in _OPEN else package


def imported(path: Path, known: set[str]) -> set[str]:
    """The modules of the suite that a file imports, wherever in it; not those that only its types need."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not read here"
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                found.add(inner if inner in known else str(node.module))
        waiting += ast.iter_child_nodes(node)
    return found & known


@cache
def rooms() -> dict[str, set[str]]:
    """Each room, and those that it imports from."""
    files = modules()
    packages = {name for name, path in files.items() if path.name == "__init__.py"}
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        here = room(name, packages)
        there = {room(other, packages) for other in imported(path, set(files))}
        graph.setdefault(here, set()).update(there - {here})
    return graph


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Rooms each of which imports from the next, and the last from the first; empty where there are none."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next((found for other in sorted(graph[name]) if (found := visit(other, [*way, name]))), [])
        done.add(name)
        return found

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def test_no_room_imports_from_one_that_imports_from_it() -> None:
    graph = rooms()
    assert {"suite.run", "suite.papers", "suite.data.module", "suite.data.pictures", "suite.data.sources"} <= set(graph)
    assert " -> ".join(cycle(graph)) == ""


def test_a_cycle_would_be_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert cycle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]


def test_the_rooms_of_the_data_stand_above_each_other() -> None:
    graph = rooms()
    way = ["tools", "module", "pictures", "sources", "sources.helpers", "catalog"]
    for place, name in enumerate(way):
        above = {f"suite.data.{other}" for other in way[:place]}
        assert not graph[f"suite.data.{name}"] & above, name


def test_what_only_types_need_is_no_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import suite.train\nelse:\n    import suite.pack\n"
        "def later():\n    from suite.data import catalog\n    from suite.errors import UserError\n"
    )
    assert imported(path, set(modules())) == {"suite.pack", "suite.data.catalog", "suite.errors"}


def test_arrows_go_down_the_table_of_the_architecture() -> None:
    table = (ROOT.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8").partition("| room | ")[2]
    rows = [
        re.findall(r"`src/suite/([\w/.]*)`", line.split("|")[1]) for line in table.partition("\n\n")[0].splitlines()[2:]
    ]
    place: dict[str, int] = {}
    for number, row in enumerate(rows):
        for path in row:
            name = ".".join(["suite", *path.removesuffix(".py").strip("/").split("/")]).rstrip(".")
            place[name] = number

    def row_of(name: str) -> int:
        while name not in place:
            name = name.rpartition(".")[0]
        return place[name]

    for name, there in rooms().items():
        for other in there - {"suite"}:
            assert row_of(name) <= row_of(other), f"{name} imports from {other}, which stands above it"
