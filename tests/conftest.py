"""What every room's tests share: small real photographs, and workspaces made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from ensemble.arrays import luma
from ensemble.config import Config
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import write_folds
from ensemble.data.png import write_png
from ensemble.workspace import Workspace
from tests.reference.dealt import deal

if TYPE_CHECKING:  # most rooms are tested without torch, whose import takes seconds
    from ensemble.project import Project
    from ensemble.training.job import Job
    from tests.reference.ens import Said

# An example that compiles a kernel, or meets a busy machine, takes longer than hypothesis allows.
# The same examples each time, so that a failure is of the change at hand; `make fuzz` draws others.
hypothesis.settings.register_profile("ens", deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ens")

SIZE = 48
UNTRAINED = {
    "restoration": {"members": ("navier-stokes", "telea")},
    "colorization": {"members": ("gray",)},
}


@pytest.fixture(scope="session")
def photograph() -> NDArray[np.uint8]:
    """One real photograph, (512, 512, 3) uint8, shipped in scikit-image's wheel."""
    return astronaut()


@pytest.fixture(scope="session")
def crops(photograph: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Distinct (SIZE, SIZE, 3) crops of it, at half its scale; none is flat."""
    half = np.asarray(Image.fromarray(photograph).resize((256, 256), Image.Resampling.LANCZOS))
    tiles = [
        np.ascontiguousarray(half[y : y + SIZE, x : x + SIZE])
        for y in range(0, 256 - SIZE, SIZE)
        for x in range(0, 256 - SIZE, SIZE)
    ]
    return [tile for tile in tiles if luma(tile).std() > 10]


@pytest.fixture
def make_workspace(
    tmp_path: Path, crops: list[NDArray[np.uint8]]
) -> Callable[..., tuple[Workspace, Config]]:
    """Makes a workspace with data, settings for it, and folds."""

    def make(*, n_train: int = 6, n_test: int = 2, n_folds: int = 2, **sections: dict[str, object]):
        workspace = Workspace(tmp_path / "workspace")
        names = [f"TRAIN_{i:05d}" for i in range(n_train)]
        for name, crop in zip(names, crops, strict=False):
            write_png(workspace.data / "train_gt" / f"{name}.png", crop)
        for i, crop in enumerate(crops[n_train : n_train + n_test]):
            damage = draw_damage(size=crop.shape[:2], seed=1000 + i)
            damaged = apply_damage(luma(crop), damage)
            write_png(workspace.data / "test_input" / f"TEST_{i:03d}.png", damaged)
            write_png(workspace.data / "test_target" / f"TEST_{i:03d}.png", crop)
        write_folds(workspace.folds_file, deal(names, n_folds))
        config = Config().replace("data", size=SIZE).replace("folds", n_folds=n_folds)
        for section, values in sections.items():
            config = config.replace(section, **values)
        return workspace, config

    return make


@pytest.fixture
def competition(make_workspace: Callable[..., tuple[Workspace, Config]]) -> Competition:
    """The data of such a workspace."""
    workspace, config = make_workspace()
    return Competition.load(workspace.data, size=config.data.size, seed=0)


@pytest.fixture
def project(make_workspace: Callable[..., tuple[Workspace, Config]]) -> Project:
    """Such a workspace, with members that need no training."""
    from ensemble.project import Project

    return Project.open(*make_workspace(**UNTRAINED))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A competition of 20 photographs of 32 px."""
    from tests.reference import tiny

    folder = tmp_path_factory.mktemp("competition") / "data"
    tiny.write_photographs(folder)
    return folder


@pytest.fixture
def make_project(photographs: Path, tmp_path: Path) -> Callable[..., Project]:
    """Makes a workspace over these, with tiny networks; keywords change keys of [training]."""
    from tests.reference import tiny

    def make(folder: Path | None = None, section: str = "training", **values: object) -> Project:
        return tiny.make_project(folder or tmp_path, photographs, section, **values)

    return make


@pytest.fixture(scope="session")
def ens() -> Callable[..., Said]:
    """Runs `ens --root ROOT ARGUMENTS` and gives its status and what it printed."""
    from tests.reference.ens import run_ens

    return run_ens


@pytest.fixture
def restoration_job() -> Job:
    """The training of its restoration network on fold 0."""
    from ensemble.training.job import Job

    return Job("restoration", "tiny-restorer", 0)
