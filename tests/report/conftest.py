"""A tiny workspace whose pages are looked at, and the browser that opens them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.png import write_png
from ensemble.files import atomic_write

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = "TRAIN <b>\"&'<script>alert(1)<"
"""An image id that would be markup, were it not escaped."""
REQUIRED = "ENS_BROWSER_REQUIRED"
"""Where this variable is set a missing browser is a failure; elsewhere it is a skip."""
COUNT = 10
SETTINGS = """
[data]
size = 48
[folds]
n_folds = 2
[restoration]
members = ["navier-stokes", "telea", "unet-mobilenet-v2"]
[colorization]
members = ["gray", "teammate"]
[[member]]
name = "teammate"
stage = "colorization"
arch = "external"
"""
METRICS = """epoch,train_loss,val_score,seconds
1,0.5,0.25,60
2,0.25,0.75,30
3,0.125,0.5,30
"""
"""Of a training that was interrupted."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory, ens, crops) -> Path:
    """A workspace with a recipe and a submission; one of its image ids is hostile."""
    root = tmp_path_factory.mktemp("report") / "ws <i>&"
    names = [*(f"TRAIN_{number:05d}" for number in range(COUNT - 1)), HOSTILE]
    faded = {
        name: crop // 2 + crop.mean(axis=-1, keepdims=True).astype(np.uint8) // 2
        for name, crop in zip(names, crops, strict=False)
    }
    for name, crop in zip(names, crops, strict=False):
        write_png(root / "data/train_gt" / f"{name}.png", crop)
        write_png(root / "teammate" / f"{name}.png", faded[name])
    damage = draw_damage(size=crops[COUNT].shape[:2], seed=0)
    test = apply_damage(luma(crops[COUNT]), damage)
    write_png(root / "data/test_input/TEST_000.png", test)
    write_png(root / "test/TEST_000.png", crops[COUNT])
    (root / "ens.toml").write_text(SETTINGS)
    metrics = root / "checkpoints/restoration/unet-mobilenet-v2/fold-0/metrics.csv"
    atomic_write(metrics, METRICS)
    for arguments in (
        ["folds"],
        ["oof import", "teammate", "--oof", root / "teammate", "--test", root / "test"],
        ["blend --trials 20"],
        ["submit"],
    ):
        said = ens(root, *arguments)
        assert said.status == 0, f"{arguments}: {said.err}"
    return root


@pytest.fixture(scope="session")
def report_file(tiny_root: Path, ens) -> Path:
    """The page of `ens report`."""
    said = ens(tiny_root, "report")
    assert said.status == 0, said.err
    return tiny_root / "report.html"


@pytest.fixture(scope="session")
def explore_file(tiny_root: Path, ens) -> Path:
    """The page of `ens explore`."""
    said = ens(tiny_root, "explore")
    assert said.status == 0, said.err
    return tiny_root / "explore.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "`chromium` is not installed; Debian's package of that name has it"
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()
