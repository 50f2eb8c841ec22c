"""The released colorizers of the slides' first round, eccv16 and siggraph17.

Both are designs of Zhang et al. (see NOTICE), written anew; a state dict of the released files
fits them key by key. They take lightness and give chroma in CIE Lab.
"""
