"""The table of a restorer that learns in a moment, for the `ens.toml` of a tiny workspace."""

SMALL_RESTORER = """
[[member]]
name = "small"
stage = "restoration"
arch = "Unet"
encoder = "tu-test_efficientnet"
options = {encoder_depth = 3, decoder_channels = [16, 8, 8]}
"""
