"""The words of the pages, each explained in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

GLOSSARY: Mapping[str, str] = MappingProxyType(
    {
        "score": "What the competition ranks by, at most 1: 0.2 × SSIM + 0.4 × masked SSIM + 0.4 × "
        "hue, a photograph, then the mean. For gray pictures it is the weighted mean of the first "
        "two.",
        "term": "One of the three parts of the score.",
        "SSIM": "Structural similarity of the whole answer to the truth, at most 1: means, "
        "contrasts and shapes in windows of 7 pixels.",
        "masked SSIM": "The same of the lost pixels alone, read row after row as one line.",
        "hue": "Correlation of the answer's histogram of hues with that of the truth, −1 to 1. It "
        "says nothing of where the colors are.",
        "hue histogram": "How many pixels have each of 180 hues; gray pixels count as red.",
        "out of fold": "Predicted by networks that never saw the photograph, nor another of its "
        "group.",
        "cross-fitted": "Tuned on some groups and scored on the others, so that tuning cannot "
        "flatter the score. Colorization is judged with restoration's blend as it is.",
        "interval": "The 95 % bootstrap interval over groups: how far the mean could lie from what "
        "other photographs of the same kind would give.",
        "standard error": "How far a mean is from the true one, typically. Errors of gains are "
        "paired: both scores are of the same photographs, and a group counts as one observation.",
        "gain": "Score less the score it is compared with, on the same photographs.",
        "fold": "One of the parts of the training photographs; its networks learn from all others "
        "and are judged on it.",
        "group": "Photographs of one scene, near-duplicates; a group never spans two folds.",
        "stage": "Restoration makes the whole gray picture of the damaged one; colorization makes "
        "the color picture of it.",
        "member": "One network, or one method without training, of a stage.",
        "kind": "How a member came to be: trained here; fixed, without training; external, made "
        "elsewhere.",
        "view": "One flip of the picture that a member is shown; the predictions are flipped back "
        "and averaged.",
        "passes": "How many times a network runs for one photograph.",
        "weight": "Share of a member in the blend.",
        "blend": "What the members of a stage make together: their weighted mean, or the picture "
        "of minimum risk.",
        "minimum risk": "Instead of the mean of the predictions, the picture with the greatest "
        "mean masked SSIM to them: minimum Bayes risk, where each may be the truth.",
        "plain mean": "The blend with equal weights and every view: what tuning must beat.",
        "damaged input": "What the competition gives: the gray photograph with one hole. Sent "
        "as it is, it is what any answer should beat.",
        "slides' way": "The plain mean of the networks' pictures with nothing done afterwards, as "
        "in the slides of the competition.",
        "composition": "Everything between the members' pictures and the answer: paste-back, luma "
        "lock, blend of color, moved hues, data range.",
        "paste-back": "Outside the hole the input is the truth's gray: it is put back there.",
        "luma lock": "The answer's brightness is made that of the restored gray in every pixel.",
        "inpainting": "Filling the hole from its rim, without a network.",
        "moved hues": "The answer's hues are moved to a wanted hue histogram, at the same "
        "brightness.",
        "prior": "The hue histogram that the photograph's gray suggests, learned from the other "
        "folds' photographs.",
        "data range": "Two pixels are recolored so that the answer spans 0 to 255, because the "
        "score's SSIM takes its constants from that range.",
        "recipe": "What was decided: weights, views and composition; ens submit follows it.",
        "trial": "One blend that the search tried, scored on sampled pixels.",
        "importance": "Share of the scores' variance over the trials that an option explains "
        "(fANOVA).",
        "epoch": "One pass of a training over its photographs.",
        "loss": "What training minimizes; lower is better, and it is no score.",
        "hole": "The polygon that is lost: filled with one gray value.",
        "located": "Where the hole was found in the input, without the answer; the outline shows "
        "it.",
        "doubtful": "The locator gives its hole little chance to be right: look at it.",
        "brightness": "Mean gray of a photograph, 0 to 255.",
        "colorfulness": "Spread and strength of a photograph's colors, after Hasler and Süsstrunk: "
        "0 is gray, 110 is garish.",
        "lost": "Share of the pixels that lie in the hole.",
        "IoU": "Pixels in both masks divided by pixels in either, 0 to 1.",
        "expected": "The score of the recipe out of fold when the zip was built.",
        "public": "The score that the board gave, as noted with ens history.",
        "submission": "A verified zip of answers to the test photographs.",
    }
)
