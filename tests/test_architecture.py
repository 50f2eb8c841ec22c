"""The rooms import only downwards, pure rooms stay pure, and nothing is written twice."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "ensemble").rglob("*.py"))
FRAMEWORKS = ("torch", "lightning", "segmentation_models_pytorch", "timm", "optuna", "zarr")


def test_rooms_import_only_the_rooms_below_them():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_lists_the_rooms_in_their_order():
    layers = configparser.ConfigParser()
    layers.read(ROOT / ".importlinter")
    rooms = layers["importlinter:contract:rooms"]["layers"].replace("|", " ").split()
    text = (ROOT / "README.md").read_text().split("## For maintainers")[1]
    block = [line for line in text.splitlines() if line.startswith("    ")]
    listed = [word for line in block for word in re.split(r" {3,}", line.strip())[0].split()]
    assert listed == rooms


def run_python(script: str) -> str:
    """What a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("room", ["metric", "damage", "folds", "composition"])
def test_a_pure_room_loads_no_framework(room):
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if path.relative_to(ROOT / "ensemble").parts[0] == room
    ]
    script = (
        f"import importlib, sys; [importlib.import_module(m) for m in {modules}]; "
        f"print([name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    assert run_python(script) == "[]"


def test_the_help_of_no_verb_needs_a_framework():
    script = (
        "import sys; from ensemble.cli.app import VERBS, load_verb; "
        "[load_verb(verb) for verb in VERBS]; "
        f"print([name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    assert run_python(script) == "[]"


def test_looking_at_a_project_compiles_and_decodes_nothing():
    script = (
        "import sys; import ensemble.project, ensemble.report.status, ensemble.provenance; "
        "print([name for name in ('cv2', 'numba', 'zarr', 'torch') if name in sys.modules])"
    )
    assert run_python(script) == "[]"


def test_blending_what_is_not_trained_needs_no_torch():
    script = (
        "import sys; import ensemble.blending.run, ensemble.submission.submit; "
        "print([name for name in ('torch', 'lightning', 'timm') if name in sys.modules])"
    )
    assert run_python(script) == "[]"


def test_no_function_is_written_twice():
    """The same name with the same body in two modules: one of them should import the other."""
    places = defaultdict(set)
    for path in [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                places[_without_documentation(node)].add(f"{path.relative_to(ROOT)}: {node.name}")
    assert [where for where in places.values() if len(where) > 1] == []


def _without_documentation(function: ast.FunctionDef) -> str:
    documented = ast.get_docstring(function) is not None
    body = [ast.dump(node) for node in function.body[documented:]]
    return " ".join([function.name, ast.dump(function.args), *body])


def test_the_spelling_is_american():
    british = re.compile(r"colour|normalis|quantis|neighbour|behaviour|initialis|centre|grey", re.I)
    allowed = {"CHANGELOG.md", "tests/test_config.py", "tests/test_architecture.py"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in tracked.stdout.split() if name.endswith((".py", ".md", ".toml"))]
    found = {name for name in names if british.search((ROOT / name).read_text(encoding="utf-8"))}
    assert found <= allowed
