from __future__ import annotations

from ensemble.errors import nearest_first, unknown_name


def test_case_and_separators_do_not_matter() -> None:
    assert nearest_first("FPN_ResNet50", ["unet-resnet50", "fpn-resnet50"])[0] == "fpn-resnet50"


def test_equals_are_in_alphabetic_order() -> None:
    assert nearest_first("zzz", ["c", "a", "b"]) == ["a", "b", "c"]


def test_a_long_list_is_cut_and_counted() -> None:
    text = unknown_name("letter", "b1", ["b1x", "b", "c"], at_most=2)
    assert text == "`b1` is no letter; valid, nearest first: `b1x`, `b` and 1 more"


def test_a_short_list_is_whole() -> None:
    assert unknown_name("letter", "x", ["a"]).endswith("first: `a`")
