from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.png import read_rgb, write_png


@pytest.fixture
def album(tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no weights"))
    folder = tmp_path / "album"
    write_png(folder / "whole.png", np.ascontiguousarray(photograph[:90, :130]))
    gray = luma(photograph)
    damage = draw_damage(size=gray.shape, seed=3)
    write_png(folder / "torn.png", apply_damage(gray, damage))
    return folder


def test_without_a_recipe_it_says_what_is_used(ens, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = ens(tmp_path, "predict", album, f"--out {out}")
    assert said.status == 0
    assert f"no recipe in {tmp_path}/oof/recipe.json: nothing that was trained" in said.out
    assert "holes are filled by spline and telea" in said.out
    assert "colors: none, pictures stay gray; `--colorizer siggraph17`" in said.out
    assert f"wrote 2 pictures to {out}: 1 with a located hole, 0 with a mask, 1 without" in said.out
    assert sorted(path.name for path in out.iterdir()) == ["torn.png", "whole.png"]
    again = ens(tmp_path, "predict", album, f"--out {out}")
    assert again.status == 0
    assert f"passed over 2 that are in {out} already; --force" in again.out


def test_a_failure_is_named_and_ends_with_status_2(ens, album: Path, tmp_path: Path) -> None:
    (album / "broken.png").write_bytes(b"")
    out = tmp_path / "out"
    said = ens(tmp_path, "predict", album, f"--out {out} --no-hole")
    assert said.status == 2
    assert f"error: `{album}/broken.png` must be a picture" in said.out
    assert "0 with a located hole, 0 with a mask, 2 without a hole" in said.out
    assert "1 of 3 photographs failed" in said.out
    assert read_rgb(out / "torn.png").shape == (512, 512, 3)


def test_one_mask_is_for_one_photograph(ens, album: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    write_png(mask, np.pad(np.ones((10, 10), dtype=bool), ((0, 80), (0, 120))))
    out = f"--out {tmp_path}/out --mask {mask}"
    said = ens(tmp_path, "predict", album, out)
    assert said.status == 2
    assert f"--mask `{mask}` is one file, but 2 photographs are given" in said.err
    said = ens(tmp_path, "predict", album / "whole.png", out)
    assert "wrote 1 picture to" in said.out
    assert "1 with a mask" in said.out


def test_weights_that_are_not_there_are_asked_for(
    ens, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ensemble.networks.colorizers.released.answers", lambda *_, **__: False)
    said = ens(tmp_path, "predict", album, f"--out {tmp_path}/out --colorizer eccv16")
    assert said.status == 2
    assert "weights of eccv16 cannot be downloaded" in said.err
    said = ens(tmp_path, "predict", album, f"--out {tmp_path}/out --full")
    assert "--full needs networks of your own" in said.err
    said = ens(tmp_path, "predict", album, f"--out {tmp_path}/out --look natural")
    assert "--look natural needs networks of your own" in said.err


def test_a_mask_of_no_photograph_is_named(ens, album: Path, tmp_path: Path) -> None:
    mask = np.zeros((90, 130), dtype=bool)
    mask[5:9, 5:9] = True
    for name in ("whole", "hwole"):
        write_png(tmp_path / "masks" / f"{name}.png", mask)
    said = ens(tmp_path, "predict", album, f"--out {tmp_path}/out --mask {tmp_path}/masks")
    assert f"note: masks that are named as no photograph: {tmp_path}/masks/hwole.png\n" in said.out
    assert "1 with a located hole, 1 with a mask" in said.out
