"""The built wheel holds all that the commands need, wherever they are typed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_alone_goes_from_a_demo_to_a_zip(tmp_path: Path) -> None:
    wheels, installed, work = (tmp_path / name for name in ("wheels", "installed", "work"))
    work.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = tmp_path / "source"  # a build leaves files beside what it builds
    shutil.copytree(ROOT / "ensemble", source / "ensemble")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = wheels.glob("dacon_ens-*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", installed, wheel], check=True, cwd=tmp_path
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def ens(*arguments: str) -> None:
        command = [sys.executable, "-m", "ensemble.cli.app", *arguments]
        subprocess.run(command, check=True, cwd=work, env=environment)

    where = "import ensemble; print(ensemble.__file__)"
    told = subprocess.check_output([sys.executable, "-c", where], cwd=work, env=environment)
    assert Path(told.decode().strip()).is_relative_to(installed)
    ens("init", "--preset", "training-free")
    settings = work / "ens.toml"
    settings.write_text(settings.read_text().replace("size = 512", "size = 64"))
    ens("demo", "--size", "64", "--train", "12", "--test", "2")
    ens("folds", "--n-folds", "2")
    ens("blend", "--trials", "10")
    ens("submit")
    ens("report")
    assert (work / "submissions" / "submission.zip").exists()
