"""LOCATOR_VERSION and FILL_VERSION are raised by hand: these tests notice a change without that.

After raising one, `python -m tests.damage.test_versions` pins the new masks or fills.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, luma
from ensemble.damage import FILL_VERSION, LOCATOR_VERSION
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.fill import fill_hole
from ensemble.damage.locate import locate_hole
from ensemble.vocabulary import FILLS

PINNED = Path(__file__).with_name("pinned.npz")
COMMAND = "python -m tests.damage.test_versions"
Arrays = dict[str, NDArray[Any]]


def damages() -> list[tuple[Gray, Mask]]:
    """Damaged grays and their true holes.

    The locator is far from certain of them, yet no pixel's probability is within 0.06 of one half:
    a processor that rounds otherwise finds the same mask.
    """
    camera = skimage.data.camera()[150:278, 150:278]
    astronaut = luma(skimage.data.astronaut())
    coffee = luma(skimage.data.coffee())[100:228, 200:328]
    face, suit = astronaut[50:178, 150:278], astronaut[200:328, 250:378]
    drawn = {10: camera, 4: suit, 0: coffee, 5: suit, 6: suit, 1: face, 2: face, 11: camera}
    found = []
    for seed, gray in drawn.items():
        damage = draw_damage(size=gray.shape, seed=seed)
        found.append((apply_damage(gray, damage), damage.lost_mask()))
    return found


def compute() -> Arrays:
    """The located masks, and what each method, and the default, puts into two true holes."""
    found = damages()
    masks = [locate_hole(damaged).lost_mask for damaged, _ in found]
    arrays = {"masks": np.packbits(masks), "locator": np.array(LOCATOR_VERSION)}
    for name, chosen in {
        "default": {},
        **{method: {"method": method} for method in FILLS},
    }.items():
        holes = [fill_hole(gray, lost, **chosen)[lost] for gray, lost in found[:2]]
        arrays[f"fill {name}"] = np.concatenate(holes)
    return arrays | {"fill": np.array(FILL_VERSION)}


def same_masks(one: Arrays, other: Arrays) -> bool:
    return np.array_equal(one["masks"], other["masks"])


def same_fills(one: Arrays, other: Arrays) -> bool:
    """Whether all fills of the other agree but for rounding: a level in one pixel of a hundred."""
    names = {name for name in other if name.startswith("fill ")}
    if not names <= one.keys():
        return False
    differences = [np.abs(one[name].astype(int) - other[name]) for name in names]
    return all(d.max() <= 1 and (d > 0).mean() <= 0.01 for d in differences)


def find_fault(new: Arrays, pinned: Arrays) -> str:
    """What to do about results that are not the pinned ones; empty where there is nothing."""
    for what, version, same in (
        ("locate_hole", "locator", same_masks),
        ("fill_hole", "fill", same_fills),
    ):
        name = f"{version.upper()}_VERSION"
        if new[version] != pinned[version]:
            return f"{name} is {new[version]}, but {pinned[version]} is pinned: run `{COMMAND}`"
        if not same(new, pinned):
            return (
                f"{what} gives other results than before under the same {name}, so archives made "
                f"by the old ones would pass for new: raise {name} in ensemble/damage/__init__.py, "
                f"then run `{COMMAND}`; or undo the change"
            )
    missing = sorted(new.keys() - pinned.keys())
    return f"{', '.join(missing)} is new: run `{COMMAND}`" if missing else ""


def test_other_masks_and_fills_have_another_version() -> None:
    assert find_fault(compute(), dict(np.load(PINNED))) == ""


def test_a_change_is_noticed_and_told() -> None:
    pinned = dict(np.load(PINNED))
    masks = pinned["masks"].copy()
    masks[500] ^= 1
    assert "raise LOCATOR_VERSION in" in find_fault(pinned | {"masks": masks}, pinned)
    raised = pinned | {"masks": masks, "locator": pinned["locator"] + 1}
    assert find_fault(raised, pinned) == f"LOCATOR_VERSION is 2, but 1 is pinned: run `{COMMAND}`"
    name = f"fill {FILLS[0]}"
    fill = pinned[name]
    for changed in (fill ^ 1, np.where(np.arange(len(fill)) == 7, fill ^ 4, fill)):
        assert "raise FILL_VERSION in" in find_fault(pinned | {name: changed}, pinned)
    assert "raise FILL_VERSION in" in find_fault(pinned, pinned | {"fill other": fill})
    assert (
        find_fault(pinned | {"fill other": fill}, pinned) == f"fill other is new: run `{COMMAND}`"
    )
    rounded = np.where(np.arange(len(fill)) == 7, fill ^ 1, fill)
    assert find_fault(pinned | {name: rounded}, pinned) == ""


def main() -> None:
    """Pin the present results, unless they changed under the same version."""
    new = compute()
    if PINNED.exists():
        fault = find_fault(new, dict(np.load(PINNED)))
        if "raise" in fault:
            raise SystemExit(fault)
    np.savez_compressed(PINNED, allow_pickle=False, **new)


if __name__ == "__main__":
    main()
