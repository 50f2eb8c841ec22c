"""The competition's data: its layout, its PNGs, and a demo set of the same shape."""
