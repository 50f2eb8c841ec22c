from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch

from ensemble.config import Config, load_config
from ensemble.data.competition import Competition
from ensemble.data.png import write_png
from ensemble.folds.split import split
from ensemble.networks.project import Project
from ensemble.training.job import Job
from ensemble.workspace import Workspace

SIZE = 32
TINY = """
seed = 3
[data]
size = 32
[restoration]
members = ["tiny-restorer"]
[colorization]
members = ["tiny-colorizer", "tiny-histogram"]
[training]
encoder_weights = "none"
batch_size = 4
epochs = 2
learning_rate = 1e-3
num_workers = 0
[inference]
batch_size = 4
[[member]]
name = "tiny-restorer"
stage = "restoration"
arch = "unet"
encoder = "tu-test_efficientnet"
options = {decoder_channels = [16, 8, 8], encoder_depth = 3}
[[member]]
name = "tiny-colorizer"
stage = "colorization"
arch = "unet"
encoder = "tu-test_efficientnet"
options = {decoder_channels = [16, 8, 8], encoder_depth = 3}
[[member]]
name = "tiny-histogram"
stage = "colorization"
arch = "histogram"
encoder = "test_efficientnet"
"""

MakeProject = Callable[..., Project]


def _crops(count: int, size: int) -> list[Any]:
    """Distinct crops of the astronaut, which scikit-image ships."""
    picture = skimage.data.astronaut()
    columns = picture.shape[1] // size
    return [
        picture[size * row : size * (row + 1), size * column : size * (column + 1)]
        for row, column in (divmod(7 * i % 200, columns) for i in range(count))
    ]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A competition of 20 photographs of 32 px, damage to be simulated."""
    folder = tmp_path_factory.mktemp("competition") / "data"
    (folder / "train_gt").mkdir(parents=True)
    for number, crop in enumerate(_crops(20, SIZE)):
        write_png(folder / "train_gt" / f"TRAIN_{number:05d}.png", crop)
    return folder


@pytest.fixture
def make_project(photographs: Path, tmp_path: Path) -> MakeProject:
    """Makes a project over the photographs; keywords change keys of [training]."""

    def make(folder: Path | None = None, section: str = "training", **values: Any) -> Project:
        root = folder or tmp_path
        root.mkdir(parents=True, exist_ok=True)
        (root / "ens.toml").write_text(TINY)
        config: Config = load_config(root / "ens.toml").replace(section, **values)
        competition = Competition.load(photographs, size=SIZE, seed=config.seed)
        ids = competition.train_ids
        folds = split(image_ids=ids, groups=ids, n_folds=2, seed=0)
        return Project(Workspace(root), config, competition, folds)

    return make


@pytest.fixture
def restoration_job() -> Job:
    return Job("restoration", "tiny-restorer", 0)
