"""A competition so small that a training takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from skimage.data import astronaut

from ensemble.config import load_config
from ensemble.config_text import config_text
from ensemble.data.folds_csv import write_folds
from ensemble.data.png import write_png
from ensemble.files import atomic_write
from ensemble.project import Project
from ensemble.workspace import Workspace
from tests.reference.dealt import deal

SIZE = 32
COUNT = 20
SETTINGS = """
seed = 3
[data]
size = 32
[restoration]
members = ["tiny-restorer", "navier-stokes"]
input_mode = "damaged"
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
name = "normless"
stage = "restoration"
arch = "unet"
encoder = "tu-test_convnext"
[member.options]
decoder_channels = [16, 16, 16]
encoder_depth = 3
decoder_use_norm = false
decoder_attention_type = "scse"
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


def write_photographs(data: Path) -> None:
    """Distinct crops of the astronaut, damage to be simulated."""
    for number, crop in enumerate(_crops()):
        write_png(data / "train_gt" / f"TRAIN_{number:05d}.png", crop)


def make_project(root: Path, data: Path, section: str = "training", **values: Any) -> Project:
    """A whole workspace over these photographs; `values` change keys of one section."""
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(root)
    (root / "base.toml").write_text(SETTINGS)
    config = load_config(root / "base.toml").replace(section, **values)
    atomic_write(workspace.config_file, config_text(config))
    if not workspace.data.exists():
        workspace.data.symlink_to(data)
        ids = [f"TRAIN_{number:05d}" for number in range(COUNT)]
        write_folds(workspace.folds_file, deal(ids, 2))
    return Project.open(workspace, config)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: on a busy machine its threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _crops() -> list[NDArray[Any]]:
    picture = astronaut()
    columns = picture.shape[1] // SIZE
    places = (divmod(7 * number % 200, columns) for number in range(COUNT))
    return [picture[SIZE * y : SIZE * (y + 1), SIZE * x : SIZE * (x + 1)] for y, x in places]
