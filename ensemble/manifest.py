"""What an artefact was made from: digests, versions and the seed, in a JSON file beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ensemble.errors import DataError, MissingArtefactError, MissingFileError, StaleArtefactError
from ensemble.files import atomic_write
from ensemble.reading import explain, file_status, read_json
from ensemble.vocabulary import View

MANIFEST = "manifest.json"
"""Name of the manifest in an artefact's folder."""

PACKAGES = (
    "ensemble",
    "torch",
    "segmentation-models-pytorch",
    "timm",
    "lightning",
    "numpy",
    "opencv-python-headless",
    "scikit-image",
    "optuna",
)


_SAMPLES, _SAMPLED_BYTES = 4, 4096


class _Facts(BaseModel):
    """Facts of one kind of artefact that are relied upon; there may be others."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _CheckpointFacts(_Facts):
    weights: str
    weights_sample: str
    best_epoch: int = Field(ge=1)
    epochs: int = Field(ge=1)
    scores: list[float | None]
    val_score: float | None = None
    settings: dict[str, Any] = {}


class _ArchiveFacts(_Facts):
    image_ids: list[str]
    views: list[View] = Field(min_length=1)


class _CacheFacts(_Facts):
    pixels: str


class _Mixed(_Facts):
    file: str
    weight: float


class _SubmissionFacts(_Facts):
    zip: str
    full: bool = False
    mixed: _Mixed | None = None
    expected: float | None = None


Kind = Literal["checkpoint", "oof", "cache", "submission"]

_FACTS: dict[Kind, type[_Facts]] = {
    "checkpoint": _CheckpointFacts,
    "oof": _ArchiveFacts,
    "cache": _CacheFacts,
    "submission": _SubmissionFacts,
}
"""What a manifest of each kind must say."""


@dataclass(frozen=True)
class Manifest:
    """What an artefact was made from."""

    kind: Kind  # what the artefact is
    # the digest of each thing it was made from, by name (`data`, `folds`, ...)
    made_from: dict[str, str]
    seed: int  # the seed of whatever was drawn at random
    facts: dict[str, Any] = field(default_factory=dict)  # further facts: scores, epochs, counts
    versions: dict[str, str] = field(default_factory=dict)  # the packages that made it


def differing(noted: Mapping[str, str], due: Mapping[str, str]) -> list[str]:
    """Names in `due` whose digest is not the noted one; what was not noted counts as changed."""
    return [key for key, digest in due.items() if noted.get(key) != digest]


def require_same(
    noted: Mapping[str, str], due: Mapping[str, str], *, name: str, remedy: str
) -> None:
    """Refuse the artefact called `name` unless the digests it was made from are those due.

    Raises:
        StaleArtefactError: One differs; the message names each such thing, and the remedy.
    """
    changed = differing(noted, due)
    if changed:
        raise StaleArtefactError(
            f"{name} was made from another {' and another '.join(changed)} than the present "
            f"one; {remedy}"
        )


def tell_other_file(path: Path, manifest: Path) -> str:
    """The beginning of an error: a file is not that whose digest its manifest holds."""
    return f"`{path}` is not the file that `{manifest}` was written for"


def write_manifest(
    path: Path,
    *,
    kind: Kind,
    made_from: Mapping[str, str],
    seed: int,
    facts: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write a manifest atomically, with the present package versions, and return it."""
    manifest = Manifest(kind, dict(made_from), seed, dict(facts or {}), package_versions())
    atomic_write(path, json.dumps(asdict(manifest), indent=2, sort_keys=True) + "\n")
    return manifest


def read_manifest(path: Path, kind: Kind, *, remedy: str = "make the artefact again") -> Manifest:
    """Read the manifest of an artefact of a kind.

    Raises:
        MissingArtefactError: There is none.
        StaleArtefactError: The file is not a manifest, or one of another kind.
    """
    try:
        manifest: Manifest = read_json(path, Manifest)
        if manifest.kind != kind:
            raise DataError(f"it is one of the kind `{manifest.kind}`, not `{kind}`")
        _FACTS[kind].model_validate(manifest.facts)
        return manifest
    except MissingFileError:
        raise MissingArtefactError(f"`{path}` is not there; {remedy}") from None
    except (DataError, ValidationError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise StaleArtefactError(f"`{path}` is not a manifest ({reason}); {remedy}") from None


def digest_bytes(content: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is a folder, a pipe or a device.
    """
    file_status(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_sample(path: Path) -> str:
    """SHA-256 of a file's size and of some KiB at its start, end and between, in hexadecimal.

    It costs nothing, and tells a file that was cut, overwritten or swapped, but not every change;
    see `digest_file` for errors.
    """
    size = file_status(path).st_size
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for part in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLED_BYTES) * part // (_SAMPLES - 1))
            found.update(file.read(_SAMPLED_BYTES))
    return found.hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no blanks).

    >>> digest_json({"b": 1, "a": 2}) == digest_json({"a": 2, "b": 1})
    True
    """
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


@cache
def package_versions() -> dict[str, str]:
    """Version of each package that can change a result."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
