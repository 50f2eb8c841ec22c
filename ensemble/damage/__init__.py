"""The damage: how the competition draws it, where it lies, and its classical repair."""
