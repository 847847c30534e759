"""The layers of docs/architecture.md: who may import whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED = re.search(r"stand in layers, ([^;]*?), and none", (ROOT / "docs" / "architecture.md").read_text())
LAYERS = re.split(r",\s+", DESCRIBED[1]) if DESCRIBED else []
ONE_CALLER = {"llvmlite": "lower", "keystone": "asm"}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def compiler_imports() -> Iterator[tuple[str, str, str]]:
    """File, its layer, the module that it imports."""
    for file in sorted((ROOT / "compiler").glob("*/**/*.py")):
        name = file.relative_to(ROOT)
        for module in imports(file):
            yield name.as_posix(), name.parts[1], module


def test_every_package_has_a_layer() -> None:
    packages = {file.parent.name for file in (ROOT / "compiler").glob("*/__init__.py")}
    assert packages == set(LAYERS)


def test_nothing_imports_upwards() -> None:
    found = [
        f"{file} imports {module}"
        for file, layer, module in compiler_imports()
        if module.startswith("compiler.") and LAYERS.index(module.split(".")[1]) > LAYERS.index(layer)
    ]
    assert found == []


def test_llvm_and_keystone_have_one_caller() -> None:
    found = [
        f"{file} imports {module}"
        for file, layer, module in compiler_imports()
        if ONE_CALLER.get(module.split(".")[0], layer) != layer
    ]
    assert found == []


def test_dialect_code_imports_the_language_alone() -> None:
    files = [file for folder in ("hypervisor", "runtime") for file in sorted((ROOT / folder).rglob("*.py"))]
    found = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imports(file)
        if module.startswith("compiler") and not module.startswith("compiler.language")
    ]
    assert found == []
