"""Find the hole in a damaged picture, without a network that needs training and without a human.

gray -> flat regions -> the one most like a hole -> its pixels, each decided
     -> mask, fill, confidence
"""

from ensemble.damage.locate.hole import Located, locate_hole

__all__ = ["Located", "locate_hole"]
