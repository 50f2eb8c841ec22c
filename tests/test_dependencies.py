"""What the package imports is what pyproject.toml declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOADED = {  # without an import in the package
    "dask": "by distributed; its commands start the scheduler and the workers",
}
OPTIONAL = {"tensorboard"}
"""Used where it is installed anyway."""


def test_every_import_is_declared() -> None:
    assert imported() - declared() == OPTIONAL


def test_every_declared_dependency_is_imported() -> None:
    assert declared() - imported() == LOADED.keys()


def declared() -> set[str]:
    """The distributions of pyproject.toml, without those for development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    groups = [project["dependencies"], *(extras[name] for name in extras if name != "dev")]
    return {canonical(re.split(r"[<>=~!\[ ]", line)[0]) for group in groups for line in group}


def imported() -> set[str]:
    """The distributions that modules of the package import or look for."""
    distributions = packages_distributions()
    modules = {
        name.partition(".")[0]
        for path in (ROOT / "ensemble").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in names(node)
    }
    third_party = modules - sys.stdlib_module_names - {"ensemble"}
    return {canonical(one) for name in third_party for one in distributions.get(name, [name])}


def names(node: ast.AST) -> list[str]:
    """What a statement imports, or a call of `find_spec` or `import_module` looks for."""
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(
            func=ast.Name(id="find_spec" | "import_module")
            | ast.Attribute(attr="find_spec" | "import_module"),
            args=[ast.Constant(value=str(name))],
        ):
            return [name]
    return []


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
