"""The rules of the house, read from its imports: who may know whom, how large a class may be, what a module brings."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEAVES = ("endpointing", "lattice", "biasing", "models")
FOLDERS = ("runtime", *LEAVES)
ROOT_OF_ERRORS = "models.errors"
"""What every package may import: it needs the standard library only."""
CORE = {"numpy", "typing_extensions", "lazy_loader"}
"""What any module may import at its beginning."""
HEAVY = {"httpx", "starlette", "uvicorn", "rich", "typer", "sounddevice", "jiwer", "matplotlib", "sentencepiece"}
"""What is imported where it is used, and in packages that are about nothing else."""
LARGEST_CLASS = 200
"""Lines; a larger one needs a reason here."""
LARGER = {
    "runtime.search.beam.BeamSearch": "one algorithm over one state; its steps read from top to bottom",
    "lattice.determinize._Determinizer": "one algorithm over one state; its steps read from top to bottom",
    "lattice.rescoring.client.Rescorer": "one request's life: sent, answered, late, reset, all on the same few fields",
    "biasing.graph.BiasGraph": "the arrays of one automaton, and the walks over them that the search's speed hangs on",
    "runtime.daemon.wyoming_server.WyomingConnection": "one connection; a method for each message of the protocol",
}
"""Class to the reason why it is larger."""


def modules() -> dict[str, Path]:
    """Every module of the house by its name below ``nearword``."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def statements(name: str, *, deep: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements of a module: all, or those that run when it is imported."""
    waiting: list[ast.AST] = [TREES[name]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not deep and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ):
            continue
        waiting += ast.iter_child_nodes(node)


def targets(name: str, *, deep: bool) -> Iterator[tuple[str, str]]:
    """What of the house a module imports: module, and the name taken from it."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in statements(name, deep=deep):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package.split(".")
            base = ".".join([*above[: len(above) - node.level + 1], *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                yield (inner, "") if inner in MODULES else (base, alias.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nearword"):
            pytest.fail(f"{name}: imports {node.module} by its whole name; inside the project imports are relative")


def brought(name: str) -> set[str]:
    """Distributions that are imported when a module is."""
    found = set()
    for node in statements(name, deep=False):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        if not (isinstance(node, ast.ImportFrom) and node.level):
            found |= {each.split(".")[0] for each in names}
    return found


def test_five_folders_and_what_stands_beside_them() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no git checkout")
    folders = {line.split("/")[0] for line in tracked.stdout.splitlines() if "/" in line}
    assert {each for each in folders if not each.startswith(".")} == {*FOLDERS, "docs", "tests"}


@pytest.mark.parametrize("name", MODULES)
def test_leaves_know_neither_one_another_nor_the_runtime(name: str) -> None:
    own = name.partition(".")[0]
    if own not in LEAVES:
        return
    foreign = {target for target, _ in targets(name, deep=True) if target.split(".")[0] != own}
    assert foreign <= {ROOT_OF_ERRORS}


@pytest.mark.parametrize(
    "name", [name for name in MODULES if name.startswith(("runtime.recognition", "runtime.search"))]
)
def test_recognition_knows_nobody_who_uses_it(name: str) -> None:
    users = tuple(f"runtime.{each}" for each in ("streaming", "cli", "evaluation", "daemon", "context"))
    assert not [target for target, _ in targets(name, deep=True) if target.startswith(users)]


def test_search_does_not_know_recognition() -> None:
    for name in MODULES:
        if name.startswith("runtime.search"):
            assert not [target for target, _ in targets(name, deep=True) if target.startswith("runtime.recognition")], (
                name
            )


@pytest.mark.parametrize("name", MODULES)
def test_no_private_name_is_taken_from_another_module(name: str) -> None:
    assert not [f"{target}.{taken}" for target, taken in targets(name, deep=True)
                if taken.startswith("_") and not taken.startswith("__")]  # fmt: skip


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {name: {target for target, _ in targets(name, deep=False) if target != name} for name in MODULES}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " imports ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            walk(target, (*path, name))
        done.add(name)

    for name in MODULES:
        walk(name, ())


ABOUT = {
    "runtime.cli": HEAVY,
    "runtime.daemon": {"starlette", "uvicorn"},
    "lattice.service": {"starlette", "uvicorn"},
    "models.training": {"sentencepiece", "typer"},
}
"""Packages to what they are about: no other imports them."""


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_are_imported_where_they_are_used(name: str) -> None:
    allowed = {package for place, packages in ABOUT.items() if name.startswith(place) for package in packages}
    assert not brought(name) & HEAVY - allowed


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_needs_numpy_alone(leaf: str) -> None:
    needed = {"models": "numpy onnxruntime", "endpointing": "numpy webrtcvad"}.get(leaf, "numpy").split()
    program = (
        "import importlib.abc, sys\n"
        "class Refuse(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.split('.')[0] in {sorted(HEAVY | {'soundfile', 'soxr', 'platformdirs'})}:\n"
        "            raise ImportError(f'{name} is not needed here')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"import nearword.{leaf} as leaf\n"
        f"print({needed} and len(leaf.__all__))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 3


def test_recognition_needs_none_of_the_extras() -> None:
    extras = sorted(HEAVY | {"vobject", "wyoming", "websockets", "prometheus_client", "cryptography"})
    program = (
        "import importlib.abc, sys\n"
        "class Refuse(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name.split('.')[0] in {sorted(set(extras) - {'sentencepiece'})}:\n"
        "            raise ImportError(f'{name} is not installed')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import asyncio\n"
        "from nearword.runtime import AudioFile, Final, Pipeline\n"
        "async def main():\n"
        "    async with Pipeline() as pipeline:\n"
        f"        async for event in pipeline.run({str(ROOT / 'runtime' / 'audio' / 'demo.flac')!r}):\n"
        "            if isinstance(event, Final):\n"
        "                print(event.text)\n"
        "asyncio.run(main())\n"
        "from nearword.runtime.evaluation.word_errors import count_errors\n"
        "try:\n"
        "    count_errors('a', 'b')\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    *words, told = result.stdout.splitlines()
    assert len(words) == 2
    assert "nearword[evaluate]" in told


def test_no_class_grows_beyond_what_one_can_read() -> None:
    large = {}
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno + 1 > LARGEST_CLASS:
                large[f"{name}.{node.name}"] = node.end_lineno - node.lineno + 1
    assert {name: lines for name, lines in large.items() if name not in LARGER} == {}
    assert LARGER.keys() <= large.keys(), "a reason for a class that is small again"
