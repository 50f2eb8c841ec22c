"""Where a photograph is lost, as far as can be known without its answer."""

from __future__ import annotations

from pathlib import Path

from ensemble import damage
from ensemble.arrays import Gray, Mask
from ensemble.damage import LOCATOR_VERSION
from ensemble.data.competition import Competition
from ensemble.data.png import read_mask
from ensemble.errors import DataError
from ensemble.manifest import digest_file, digest_json

MASK_FOLDER = "test_masks"
_NETS = Path(damage.__file__).parent / "locate" / "locator.npz"


def mask_file(competition: Competition, image_id: str) -> Path:
    """Where a mask drawn by hand for this test photograph would lie; white is lost."""
    return competition.folder / MASK_FOLDER / f"{image_id}.png"


def located_mask(competition: Competition, image_id: str, damaged: Gray) -> Mask:
    """The lost pixels: drawn by hand where there is such a mask, else located in the picture.

    Masks drawn by hand are for test photographs only: validation uses the located hole, so that
    it is honest about what the locator can do.

    Args:
        competition: Whose `data/test_masks/` is looked into.
        image_id: A training or test photograph.
        damaged: Its gray with the hole, (H, W) uint8.

    Returns:
        (H, W) bool, True where lost.

    Raises:
        DataError: The mask drawn by hand is unreadable, of another size, or marks nothing.
    """
    path = mask_file(competition, image_id)
    if not competition.is_test(image_id) or not path.is_file():
        # Slow to import, and commands that only look at a project locate nothing.
        from ensemble.damage.locate import locate_hole

        return locate_hole(damaged).lost_mask
    mask = read_mask(path)
    if mask.shape != damaged.shape:
        raise DataError(
            f"`{path}` must be as large as its photograph, {damaged.shape}, but is {mask.shape}"
        )
    if not mask.any():
        raise DataError(f"`{path}` must be white where the photograph is lost, but is all black")
    return mask


def locator_digest() -> str:
    """SHA-256 of what decides a located mask: the locator's version and its nets."""
    return digest_json({"version": LOCATOR_VERSION, "nets": digest_file(_NETS)})


def masks_digest(competition: Competition) -> str:
    """SHA-256 of all masks drawn by hand; changes when one is added, edited or removed."""
    paths = [mask_file(competition, image_id) for image_id in competition.test_ids]
    return digest_json({path.name: digest_file(path) for path in paths if path.is_file()})
