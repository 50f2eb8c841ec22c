"""Every parser of files that may come from anybody, each with a small valid file."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save
from skimage.data import astronaut
from torch import nn

from ensemble.arrays import luma
from ensemble.blending.scores_file import read_scores, to_json
from ensemble.blending.search import open_storage, open_study, search
from ensemble.blending.space import SearchSpace
from ensemble.composition.hue_prior import N_STATISTICS
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.config import Config, load_config
from ensemble.config_text import config_text
from ensemble.data import digests
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import read_folds, read_foreign_folds, read_groups
from ensemble.data.pairs import PngSource
from ensemble.data.photographs import Photographs
from ensemble.data.picture import read_picture
from ensemble.data.png import decode_gray, decode_rgb, encode_png
from ensemble.data.tables import read_numbers
from ensemble.manifest import Kind, read_manifest
from ensemble.members import configured_members
from ensemble.networks.onnx_file import OnnxNetwork
from ensemble.networks.weights import load_weights, save_weights
from ensemble.oof.archive import RECORD, Archive
from ensemble.oof.priors import Priors, read_priors
from ensemble.provenance import read_recipe_file
from ensemble.report.blend_tables import list_sentences, make_tables
from ensemble.submission.history import describe_agreement, measure_agreement, read_history
from ensemble.submission.zip import verify_zip
from ensemble.training.job import JobFiles
from ensemble.training.state import read_state
from ensemble.vocabulary import FULL, HUE_BINS
from ensemble.workspace import Workspace
from tests.fuzz.hunt import Parser
from tests.fuzz.mutations import (
    any_of,
    mutate_bytes,
    mutate_head,
    mutate_json,
    mutate_lines,
    mutate_png,
)
from tests.reference.onnx_files import Inpainter, export
from tests.reference.summary import summary

RGB: NDArray[np.uint8] = np.ascontiguousarray(astronaut()[100:116, 200:216])
IDS = ("TRAIN_00000", "TRAIN_00001")
RECIPE = Recipe(
    restoration=StageRecipe.plain_mean(["spline", "telea"]),
    colorization=StageRecipe.single("gray"),
    composition=Composition(),
    folds=(0, 1),
    made_from={"data": "d"},
)

_JSON = any_of(mutate_bytes, mutate_json, mutate_json)
_PNG = any_of(mutate_bytes, mutate_png)
_LINES = any_of(mutate_bytes, mutate_lines, mutate_lines)


RARELY = 64


def _is_rare(path: Path) -> bool:
    """Whether this mutated file is one of few, to be used or mended as well: that takes long."""
    return zlib.crc32(path.read_bytes()) % RARELY == 0


def _write(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return prepare


def _saved(format_: str, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(RGB).save(content, format_, **options)
    return content.getvalue()


def _zip(names: Sequence[str], method: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name in names:
            archive.writestr(name, encode_png(RGB))
    return content.getvalue()


# -- pictures and zips


def _read_rgb(path: Path) -> None:
    picture = decode_rgb(path.read_bytes(), name="a")
    assert picture.dtype == np.uint8
    assert picture.ndim == 3


def _read_gray(path: Path) -> None:
    picture = decode_gray(path.read_bytes(), name="a")
    assert picture.dtype == np.uint8
    assert picture.ndim == 2


def _read_picture(path: Path) -> None:
    picture = read_picture(path)
    assert picture.dtype == np.uint8
    assert picture.ndim == 2


def _read_zip(path: Path) -> None:
    source = PngSource(path)
    for name in source.names_by_stem().values():
        decode_rgb(source.read(name), name=name)


def _verify_zip(path: Path) -> None:
    verify_zip(path, names=("a.png", "b.png"), size=RGB.shape[:2])


def _sample_names(path: Path) -> None:
    _competition(path.parent.parent).sample_submission_names()


# -- the competition's tables


def _competition(root: Path) -> Competition:
    return Competition.load(root / "data", size=len(RGB), seed=0)


def _data(folder: Path) -> Path:
    for name in IDS:
        gray = luma(RGB)
        gray[2:9, 3:9] = 7
        _write(f"data/train_gt/{name}.png", encode_png(RGB))(folder)
        _write(f"data/train_input/{name}.png", encode_png(gray))(folder)
    _write("data/test_input/TEST_000.png", encode_png(gray))(folder)
    return folder


def _train_csv(folder: Path) -> Path:
    rows = "".join(f"train_input/{name}.png,train_gt/{name}.png\n" for name in IDS)
    return _write("data/train.csv", f"input_image_path,gt_image_path\n{rows}")(_data(folder))


def _read_groups(path: Path) -> None:
    assert len(read_groups(path, IDS)) == len(IDS)


def _read_folds(path: Path) -> None:
    read_foreign_folds(path)
    read_folds(path)


def _read_numbers(path: Path) -> None:
    read_numbers(path)


def _digests(path: Path) -> None:
    if not _is_rare(path):
        digests._read_cache(path)
        return
    pictures = [path.parent / "train_gt" / f"{name}.png" for name in IDS]
    found = digests.digest_files(pictures, folder=path.parent)
    assert all(len(digest) == 64 for digest in found.values())


def _digest_cache(folder: Path) -> Path:
    content = {f"train_gt/{name}.png": [1, 2, "a" * 64] for name in IDS}
    return _write("data/.ens-digests.json", json.dumps(content))(_data(folder))


def _scan(name: str, folder: Path) -> Path:
    _loaded.cache_clear()
    _photographs(_data(folder)).prepare()
    return folder / "cache" / name


_loaded = cache(_competition)
"""Its photographs are not those that are mutated."""


def _photographs(root: Path) -> Photographs:
    return Photographs(_loaded(root), root / "cache")


def _read_scan(path: Path) -> None:
    photographs, is_rare = _photographs(path.parent.parent), _is_rare(path)
    if not is_rare:  # what is damaged is not read anew
        photographs._files._mend = lambda is_whole: None  # type: ignore[method-assign]
    if photographs.is_read or is_rare:
        photographs.describe()
        assert (photographs.train_sample(IDS[1]).target == RGB).all()
        photographs.located(IDS[1])


# -- settings and decisions


def _read_config(path: Path) -> None:
    config = load_config(path)
    for stage in ("restoration", "colorization"):
        configured_members(config, stage)
    if _is_rare(path):
        assert load_config(_write("again.toml", config_text(config))(path.parent)) == config


def _settings() -> str:
    """Every key with its default, without the comments."""
    lines = (config_text(Config()) + MEMBERS).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#") and line.strip())


MEMBERS = """
[[member]]
name = "mine"
stage = "restoration"
arch = "unet"
encoder = "resnet18"
options = {decoder_channels = [16, 8], depth = {a = 1}}
epochs = 3
[[member]]
name = "file"
stage = "colorization"
arch = "onnx"
file = "a.onnx"
adapter = "gray-to-ab"
"""


def _read_recipe(path: Path) -> None:
    recipe = read_recipe_file(path)
    for stage in (recipe.restoration, recipe.colorization):
        assert abs(sum(weight for *_, weight in stage.terms()) - 1) < 1e-6


def _read_scores(path: Path) -> None:
    for stage in read_scores(path)["stages"].values():
        list(make_tables(stage))
        list_sentences(stage)


def _scores() -> str:
    return to_json({s: summary(s) for s in ("restoration", "colorization")}, recipe="r")


def _read_manifest(kind: Kind, path: Path) -> None:
    read_manifest(path, kind)


def _manifest(kind: str, facts: dict[str, Any]) -> str:
    content = {"kind": kind, "made_from": {"data": "d"}, "seed": 0, "facts": facts, "versions": {}}
    return json.dumps(content)


CHECKPOINT = {
    "best_epoch": 1,
    "epochs": 2,
    "scores": [0.5, None],
    "settings": {"seed": 0},
    "val_score": 0.5,
    "weights": "w",
    "weights_sample": "s",
}
SUBMISSION = {
    "zip": "z",
    "full": True,
    "mixed": {"file": "a.zip", "zip": "d", "weight": 0.5},
    "expected": 0.5,
}


def _read_history(path: Path) -> None:
    found = measure_agreement(read_history(Workspace(path.parent)))
    if found:
        describe_agreement(found)


PUBLIC = [
    {"name": name, "zip": name, "made": "2026", "expected": 0.5, "note": "", "public": 0.5}
    for name in "abc"
]


def _read_job(path: Path) -> None:
    JobFiles(path.parent).read_progress()
    JobFiles(path.parent).read_parts()


PROGRESS = {
    "epoch": 1,
    "epochs": 2,
    "done": 0.5,
    "best_score": 0.5,
    "images_per_second": 9.5,
    "seconds_left": None,
    "epoch_seconds": 3.5,
}


# -- predictions, priors, weights


def _archive(name: str, folder: Path) -> Path:
    archive = Archive.create(
        folder / "archive",
        image_ids=IDS,
        views=("identity", "hflip"),
        item_shape=RGB.shape,
        dtype="uint8",
        made_from={"data": "d"},
        seed=0,
    )
    pictures = np.stack([RGB] * 2)
    archive.write(IDS, {"identity": pictures, "hflip": pictures})
    return folder / "archive" / name


def _read_archive(path: Path) -> None:
    folder = next(parent for parent in path.parents if parent.name == "archive")
    archive = Archive(folder)
    if not _is_rare(path):
        archive._forget = lambda row: None  # type: ignore[method-assign]
    record = (folder / RECORD).read_bytes()
    try:
        for image_id in archive.image_ids[:2]:
            assert (archive.read(image_id, archive.views[0]) == RGB).all()
    finally:
        if _is_rare(path) and path.name != RECORD:
            (folder / RECORD).write_bytes(record)


def _priors() -> bytes:
    """The shortest file: a byte a number."""
    rows = {"center": (N_STATISTICS,), "scale": (N_STATISTICS,), "slope": (N_STATISTICS, HUE_BINS)}
    shapes = {**rows, "mean": (HUE_BINS,), "correlation": ()}
    return save({f"{FULL}.{name}": np.ones(shape, np.uint8) for name, shape in shapes.items()})


def _read_priors(path: Path) -> None:
    Priors(read_priors(path)).digest()


@cache
def _network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def _weights(folder: Path) -> Path:
    save_weights(folder / "weights.safetensors", _network())
    return folder / "weights.safetensors"


def _read_weights(path: Path) -> None:
    load_weights(path, _network())


def _checkpoint(folder: Path) -> Path:
    content = {
        "state_dict": _network().state_dict(),
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}],
        "ens": {
            "position": {"epoch": 1, "batch": 2, "updates": 3},
            "scores": [0.5],
            "made_from": {"data": "d"},
            "settings": {"seed": 0},
        },
    }
    torch.save(content, folder / "last.ckpt")
    return folder / "last.ckpt"


def _read_checkpoint(path: Path) -> None:
    state = read_state(path)
    assert len(state["scores"]) == state["position"]["epoch"]


def _onnx(folder: Path) -> Path:
    shape = (1, 3, 16, 16)
    path = folder / "a.onnx"
    return export(Inpainter(), path, {"image": shape, "mask": (1, 1, 16, 16)}, free_size=True)


def _read_onnx(path: Path) -> None:
    OnnxNetwork(path, sha256="", inputs={"image": 3, "mask": 1}, channels=3)


# -- the study


@cache
def _space() -> SearchSpace:
    views = {"spline": ("identity",), "telea": ("identity", "hflip")}
    return SearchSpace(views=views, fixed=Composition(hue="none"), views_per="stage")


def _study(folder: Path) -> Path:
    study = open_study(open_storage(folder / "study.log"), "s")
    search(study, _space(), lambda candidate: 0.5, sampler="tpe", trials=0, seed=0)
    return folder / "study.log"


def _read_study(path: Path) -> None:
    study = open_study(open_storage(path), "s")
    for candidate, value in search(
        study, _space(), lambda candidate: 0.5, sampler="tpe", trials=0, seed=0
    ).ranked:
        assert np.isfinite(value)
        assert abs(sum(candidate.recipe.weights.values()) - 1) < 1e-6


PARSERS = (
    Parser("png rgb", _write("a.png", encode_png(RGB)), _read_rgb, _PNG),
    Parser("png gray", _write("a.png", encode_png(luma(RGB))), _read_gray, _PNG),
    Parser("picture png", _write("a.png", _saved("png")), _read_picture, _PNG),
    *(
        Parser(f"picture {name}", _write(f"a.{name}", _saved(name)), _read_picture)
        for name in ("jpeg", "bmp", "tiff", "webp", "gif", "ppm")
    ),
    Parser(
        "picture tiff lzw", _write("a.tif", _saved("tiff", compression="tiff_lzw")), _read_picture
    ),
    Parser("zip", _write("a.zip", _zip(["a.png", "b.png"])), _read_zip),
    Parser("zip deflated", _write("a.zip", _zip(["a.png"], zipfile.ZIP_DEFLATED)), _read_zip),
    Parser("submission zip", _write("a.zip", _zip(["a.png", "b.png"])), _verify_zip),
    Parser(
        "sample submission",
        lambda folder: _write("data/sample_submission.zip", _zip(["a.png"]))(_data(folder)),
        _sample_names,
    ),
    Parser("train.csv", _train_csv, lambda path: _competition(path.parent.parent), _LINES),
    Parser(
        "folds.csv",
        _write("folds.csv", "image_id,group,fold\na,a,0\nb,b,1\nc,a,0\n"),
        _read_folds,
        _LINES,
    ),
    Parser(
        "groups.csv",
        _write("g.csv", f"image,label\n{IDS[0]},0\n{IDS[1]},-1\n"),
        _read_groups,
        _LINES,
    ),
    Parser(
        "metrics.csv",
        _write("metrics.csv", "epoch,seconds,val_score\n1,2.5,0.5\n2,2.5,0.6\n"),
        _read_numbers,
        _LINES,
    ),
    Parser("ens.toml", _write("ens.toml", _settings()), _read_config, _LINES),
    Parser("recipe.json", _write("recipe.json", RECIPE.to_json()), _read_recipe, _JSON),
    Parser("scores.json", _write("scores.json", _scores()), _read_scores, _JSON),
    Parser(
        "manifest checkpoint",
        _write("m.json", _manifest("checkpoint", CHECKPOINT)),
        partial(_read_manifest, "checkpoint"),
        _JSON,
    ),
    Parser(
        "manifest submission",
        _write("m.json", _manifest("submission", SUBMISSION)),
        partial(_read_manifest, "submission"),
        _JSON,
    ),
    Parser("manifest oof", partial(_archive, "manifest.json"), _read_archive, _JSON),
    Parser("manifest cache", partial(_scan, "manifest.json"), _read_scan, _JSON),
    Parser("public scores", _write("public-scores.json", json.dumps(PUBLIC)), _read_history, _JSON),
    Parser("progress.json", _write("progress.json", json.dumps(PROGRESS)), _read_job, _JSON),
    Parser("parts.json", _write("parts.json", '{"parts": 2, "gpu": ""}'), _read_job, _JSON),
    Parser("digest cache", _digest_cache, _digests, _JSON),
    Parser("cache rows", partial(_scan, "rows.npy"), _read_scan),
    Parser("cache sums", partial(_scan, "sums.npy"), _read_scan),
    Parser("cache pixels", partial(_scan, "targets.npy"), _read_scan),
    Parser("archive record", partial(_archive, "checksums.npy"), _read_archive),
    Parser(
        "archive metadata",
        partial(_archive, "views.zarr/identity/zarr.json"),
        _read_archive,
        _JSON,
    ),
    Parser("archive chunk", partial(_archive, "views.zarr/identity/c/0/0/0/0"), _read_archive),
    Parser(
        "hue priors",
        _write("priors.safetensors", _priors()),
        _read_priors,
        any_of(mutate_bytes, mutate_head(400), mutate_head(400)),
    ),
    Parser("weights", _weights, _read_weights),
    Parser("checkpoint", _checkpoint, _read_checkpoint),
    Parser("onnx", _onnx, _read_onnx),
    Parser("study", _study, _read_study, _LINES),
)
