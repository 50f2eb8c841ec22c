"""What the package imports is what pyproject.toml declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-torch.lock")
LOADED = {  # without an import in the package
    "dask": "by distributed; its commands start the scheduler and the workers",
    "psycopg": "by SQLAlchemy, for a study in PostgreSQL",
}
OPTIONAL = {"tensorboard"}
"""Used where it is installed anyway."""


def test_every_import_is_declared() -> None:
    assert imported() - declared() == OPTIONAL


def test_every_declared_dependency_is_imported() -> None:
    assert declared() - imported() == LOADED.keys()


def test_every_declared_dependency_is_locked_at_a_version_that_is_allowed() -> None:
    versions = locked()
    for requirement in requirements(*project()["optional-dependencies"]):
        if requirement.name != project()["name"]:
            assert requirement.specifier.contains(versions[canonical(requirement.name)])


def test_every_locked_version_has_hashes_but_torch() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert len(entries) > 100
    assert not [entry for entry in entries if "--hash=sha256:" not in entry]
    assert locked("requirements-torch.lock").keys() == {"torch"}
    assert "torch" not in locked("requirements.lock")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with these extras."""
    optional = project()["optional-dependencies"]
    groups = [project()["dependencies"], *(optional[name] for name in extras)]
    return [Requirement(line) for group in groups for line in group]


def locked(*files: str) -> dict[str, str]:
    """The locked version of each distribution."""
    text = "\n".join((ROOT / file).read_text() for file in files or LOCKS)
    return {canonical(name): version for name, version in re.findall(r"^(\S+)==(\S+)", text, re.M)}


def declared() -> set[str]:
    """The distributions of pyproject.toml, without those for development."""
    extras = [name for name in project()["optional-dependencies"] if name != "dev"]
    return {canonical(requirement.name) for requirement in requirements(*extras)}


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
    found = {canonical(one) for name in third_party for one in distributions.get(name, [name])}
    return {name for name in found if not name.endswith("-stubs")}


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
