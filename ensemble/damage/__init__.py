"""The damage: how the competition draws it, where it lies, and its classical repair."""

LOCATOR_VERSION = 1
"""Raise it when `locate_hole` gives other masks: caches and archives made from them are stale."""

FILL_VERSION = 4
"""Raise it when `fill_hole` gives other pictures, or its default is another method: what was
learned or archived from them is stale."""
