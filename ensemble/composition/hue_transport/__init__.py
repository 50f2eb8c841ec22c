"""Move a picture's hues to a wanted histogram: `assign` a bin to each pixel, then its `colors`."""

from ensemble.composition.hue_transport.transport import transport_hue

__all__ = ["transport_hue"]
