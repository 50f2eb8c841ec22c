"""The competition's score where the arrays already are: on the device, a batch at once.

    preds, targets (N, 3, H, W) uint8, lost_masks (N, H, W) bool  ->  (N, 3): ssim, masked_ssim, hue

The same function as `ensemble.metric.score.score`, to be used where pictures are born on a GPU and
would only be copied off it to be scored. Every window sum is an integer below 2^24, so pooling in
single precision adds it exactly in any order; the closing formula is in double precision, which a
device must therefore have (CPU and CUDA do, MPS does not).

Tolerance: 1e-12 a term against `ensemble.metric.score`, on CPU and on CUDA.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ensemble.errors import ArrayError, ScoreError
from ensemble.metric.hue import BINS
from ensemble.metric.ssim import K1, K2, WINDOW

CHUNK = 8
"""Pictures whose window sums are held at once: about 0.2 GB of them at 512 x 512."""


def score_on_device(*, preds: Tensor, targets: Tensor, lost_masks: Tensor) -> Tensor:
    """The three terms of each picture of a batch.

    Args:
        preds: (N, 3, H, W) uint8, H and W at least 7.
        targets: The same shape, on the same device.
        lost_masks: (N, H, W) bool, True where the input was lost, at least 7 pixels a picture.

    Returns:
        (N, 3) float64 on the same device: ssim, masked_ssim, hue. Their weights are
        `SSIM_WEIGHT`, `MASKED_SSIM_WEIGHT` and `HUE_WEIGHT` of `ensemble.metric.score`.

    Raises:
        ArrayError: A tensor of another shape or dtype.
        ScoreError: The score is undefined for some pictures; their places in the batch are named.
    """
    _check(preds, targets, lost_masks, channels=3)
    hue = _correlations(_hue_histograms(preds), _hue_histograms(targets))
    return torch.cat([_ssim_terms(preds, targets, lost_masks), hue[:, None]], dim=1)


def gray_score_on_device(*, preds: Tensor, targets: Tensor, lost_masks: Tensor) -> Tensor:
    """The two terms of each gray picture of a batch.

    Args:
        preds: (N, 1, H, W) uint8; see `score_on_device` for the rest.
        targets: The same shape.
        lost_masks: (N, H, W) bool.

    Returns:
        (N, 2) float64: ssim, masked_ssim.

    Raises:
        ArrayError: A tensor of another shape or dtype.
        ScoreError: The score is undefined for some pictures.
    """
    _check(preds, targets, lost_masks, channels=1)
    return _ssim_terms(preds, targets, lost_masks)


def _ssim_terms(preds: Tensor, targets: Tensor, lost_masks: Tensor) -> Tensor:
    flat = preds.flatten(1)
    ranges = flat.amax(1).double() - flat.amin(1).double()
    chunks = [slice(start, start + CHUNK) for start in range(0, len(preds), CHUNK)]
    window = (WINDOW, WINDOW)
    whole = torch.cat([_mean_ssim(preds[c], targets[c], ranges[c], window) for c in chunks])
    masked = [
        _mean_ssim(_line(pred, lost), _line(target, lost), ranges[i : i + 1], (1, WINDOW))
        for i, (pred, target, lost) in enumerate(zip(preds, targets, lost_masks, strict=True))
    ]
    terms = torch.stack([whole, torch.cat(masked)], dim=1)  # (N, 2)
    undefined = terms.isnan().any(dim=1).nonzero().flatten().tolist()
    if undefined:
        raise ScoreError(
            f"the score is undefined (0 / 0) for pictures {undefined} of the batch: their pred is "
            "constant and their target has a flat window; pred must not be constant"
        )
    return terms


def _line(picture: Tensor, lost: Tensor) -> Tensor:
    return picture[:, lost][None, :, None]  # (C, H, W) -> (1, C, 1, lost pixels)


def _mean_ssim(y: Tensor, x: Tensor, ranges: Tensor, window: tuple[int, int]) -> Tensor:
    """The formula of `ensemble.metric.ssim` for pred `y`, target `x`: (N, C, H, W) -> (N,)."""
    n = window[0] * window[1]
    c1 = ((K1 * ranges) ** 2 * n**2).view(-1, 1, 1, 1)
    c2 = ((K2 * ranges) ** 2 * (n * (n - 1))).view(-1, 1, 1, 1)
    x, y = x.float(), y.float()
    sx, sy, squares, cross = (_window_sums(m, window) for m in (x, y, x * x + y * y, x * y))
    both, power = sx * sy, sx * sx + sy * sy
    top = (2 * both + c1) * (2 * (n * cross - both) + c2)
    return (top / ((power + c1) * (n * squares - power + c2))).mean(dim=(1, 2, 3))


def _window_sums(moments: Tensor, window: tuple[int, int]) -> Tensor:
    rows = avg_pool2d(moments, (window[0], 1), stride=1, divisor_override=1)
    return avg_pool2d(rows, (1, window[1]), stride=1, divisor_override=1).double()


def _hue_histograms(pictures: Tensor) -> Tensor:
    """OpenCV's normalised hue histograms: (N, 3, H, W) uint8 -> (N, 180) float64."""
    hues = _hue(pictures).flatten(1).long()
    n = hues.shape[0]
    places = hues + BINS * torch.arange(n, device=hues.device)[:, None]
    counts = torch.bincount(places.flatten(), minlength=n * BINS).view(n, BINS)
    lengths = counts.double().square().sum(1, keepdim=True).sqrt()
    return (counts.float() * (1 / lengths).float()).double()  # rounded as OpenCV rounds them


def _hue(pictures: Tensor) -> Tensor:
    """OpenCV's fixed-point hue, as in `ensemble.metric.hue`: (N, 3, H, W) -> (N, H, W) int32."""
    r, g, b = pictures.int().unbind(1)
    v = torch.maximum(r, torch.maximum(g, b))
    d = v - torch.minimum(r, torch.minimum(g, b))
    p = torch.where(v == g, b - r + 2 * d, r - g + 4 * d)
    p = torch.where(v == r, g - b, p)
    table = (122880 / torch.arange(256, device=d.device).clamp(min=1).double()).round().int()
    h = (p * table[d.long()] + 2048) >> 12
    return torch.where(h < 0, h + BINS, h)


def _correlations(x: Tensor, y: Tensor) -> Tensor:
    """OpenCV's HISTCMP_CORREL of the rows: 1 where a histogram is uniform, (N, 180) -> (N,)."""
    cross = (x * y).sum(1) - x.sum(1) * y.sum(1) / BINS
    spread = (x * x).sum(1) - x.sum(1) ** 2 / BINS
    spread = spread * ((y * y).sum(1) - y.sum(1) ** 2 / BINS)
    uniform = spread.abs() <= torch.finfo(torch.float64).eps
    return torch.where(uniform, torch.ones_like(cross), cross / spread.sqrt())


def _check(preds: Tensor, targets: Tensor, lost_masks: Tensor, *, channels: int) -> None:
    n, c, height, width = preds.shape if preds.ndim == 4 else (0, 0, 0, 0)
    if c != channels or preds.shape != targets.shape or lost_masks.shape != (n, height, width):
        raise ArrayError(
            f"`preds` and `targets` must be (N, {channels}, H, W) and `lost_masks` (N, H, W), but "
            f"got {tuple(preds.shape)}, {tuple(targets.shape)} and {tuple(lost_masks.shape)}"
        )
    dtypes = (preds.dtype, targets.dtype, lost_masks.dtype)
    if dtypes != (torch.uint8, torch.uint8, torch.bool):
        raise ArrayError(f"dtypes must be uint8, uint8 and bool, but got {dtypes}")
    if min(height, width) < WINDOW:
        raise ScoreError(
            f"a picture must be at least {WINDOW} pixels high and wide to be scored, "
            f"but is {(height, width)}"
        )
    few = (lost_masks.flatten(1).sum(1) < WINDOW).nonzero().flatten().tolist()
    if few:
        raise ScoreError(f"at least {WINDOW} pixels must be lost, but pictures {few} have fewer")
