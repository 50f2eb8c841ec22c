"""What training minimizes: each loss a mean over the whole batch, of normalized values.

Over several devices the gradients of their losses are averaged. So that this gives the gradient of
one device with the whole batch, a loss that divides by an area divides by that of all devices.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed
from torch.nn import functional

from ensemble.metric.ssim import K1, K2, WINDOW

RIM = 4


def pixel_loss(pred: Tensor, target: Tensor, *, l1: float, mse: float) -> Tensor:
    """l1 * mean |d| + mse * mean d^2 over every pixel of (N, C, H, W)."""
    difference = pred - target  # float32 at least, as target is
    return l1 * difference.abs().mean() + mse * difference.square().mean()


def hole_loss(
    pred: Tensor,
    target: Tensor,
    lost_mask: Tensor,
    *,
    l1: float,
    mse: float,
    mean_area: Tensor | None = None,
) -> Tensor:
    """`pixel_loss` over the holes (N, H, W) bool and a rim of 4 px around them alone.

    Over several devices, what each returns is its part of the sum over all pictures, divided by the
    mean area of a device: the `mean_hole_area` of the whole batch, if these pictures (N, 1, H, W)
    are a part of one.
    """
    area = mean_hole_area(lost_mask) if mean_area is None else mean_area
    difference = (pred - target) * _near(lost_mask)
    total = l1 * difference.abs().sum() + mse * difference.square().sum()
    return total / (area * len(pred)).to(total.dtype)


def mean_hole_area(lost_mask: Tensor) -> Tensor:
    """Pixels of a hole (N, H, W) and its rim, a mean over all devices' pictures; float64 scalar.

    There are as many pictures on each device.
    """
    area, count = _near(lost_mask).sum(dtype=torch.float64), len(lost_mask)
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(area)
        count *= distributed.get_world_size()
    return area.clamp_min(1) / count


def masked_ssim(*, pred: Tensor, target: Tensor, lost_mask: Tensor) -> Tensor:
    """The competition's masked SSIM, one-dimensional along the raster, differentiable.

    No window spans two pictures. The data range is that of the whole pred, as in the score, but
    no gradient flows through it: it belongs to two pixels only.

    Args:
        pred: (N, H, W) on the scale 0..255, pasted back: the input outside the hole.
        target: (N, H, W) on the same scale.
        lost_mask: (N, H, W) bool, 7 pixels or more.

    Returns:
        (N,), each at most 1; 0 where a crop has left fewer pixels, which then teach nothing.

    Source: `ensemble.metric.ssim.ssim_of_lost`. Tolerance: 1e-10 in float64; 1e-3 in float32.
    """
    with torch.no_grad():
        # A crop of a white wall may be one level throughout, for which SSIM is 0 / 0.
        pred_range = (pred.amax((1, 2)) - pred.amin((1, 2))).clamp_min(1)  # (N,)
    picture = lost_mask.nonzero()[:, 0]  # (L,), the picture each lost pixel is of, in raster order
    if len(picture) < WINDOW:
        return torch.zeros_like(pred_range)
    inside = picture[: 1 - WINDOW] == picture[WINDOW - 1 :]  # (L - 6,)
    of = picture[: 1 - WINDOW][inside]  # (K,), the picture of each window
    value = _ssim_of_windows(
        _windows(pred[lost_mask])[inside], _windows(target[lost_mask])[inside], pred_range[of]
    )
    sums = torch.zeros_like(pred_range).index_add(0, of, value)
    return sums / torch.bincount(of, minlength=len(pred_range)).clamp_min(1)


def histogram_loss(pred: Tensor, target: Tensor) -> Tensor:
    """1 - Pearson's correlation of histograms (N, B), of any scale, as OpenCV's HISTCMP_CORREL."""
    return 1 - correlation(pred, target).mean()


def correlation(pred: Tensor, target: Tensor) -> Tensor:
    """Pearson's correlation of each row of (N, B) with its twin: (N,)."""
    a = functional.normalize(pred.float() - pred.float().mean(1, keepdim=True), dim=1)
    b = functional.normalize(target.float() - target.float().mean(1, keepdim=True), dim=1)
    return (a * b).sum(1)


def _near(lost_mask: Tensor) -> Tensor:
    """1 in the holes and their rims, else 0: (N, 1, H, W) float32."""
    mask = lost_mask[:, None].to(torch.float32)
    return functional.max_pool2d(mask, 2 * RIM + 1, stride=1, padding=RIM)


def _windows(pixels: Tensor) -> Tensor:
    """(L,) to (L - 6, 7)."""
    return pixels.unfold(0, WINDOW, 1)


def _ssim_of_windows(x: Tensor, y: Tensor, pred_range: Tensor) -> Tensor:
    """SSIM of windows x and y, (K, 7), with data range (K,); sample covariance. (K,)."""
    c1, c2 = (K1 * pred_range) ** 2, (K2 * pred_range) ** 2
    mean_x, mean_y = x.mean(1), y.mean(1)
    dx, dy = x - mean_x[:, None], y - mean_y[:, None]
    var_x, var_y, cov = ((a * b).sum(1) / (WINDOW - 1) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    top = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return top / bottom
