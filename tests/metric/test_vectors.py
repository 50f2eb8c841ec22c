"""What the compiler makes of the kernels, on processors that need not be here."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMPILE = """
from numba import float64, types
from ensemble.metric.hue import count_hues
from ensemble.metric.ssim import _sum_along_scan
from ensemble.metric.ssim import _sum_over_planes
pixels = [types.Array(types.uint8, dimensions, "C") for dimensions in range(4)]
for kernel, signature in (
    (_sum_over_planes, (pixels[3], pixels[3], float64, float64)),
    (_sum_along_scan, (pixels[2], pixels[2], float64, float64)),
    (count_hues, (pixels[3],)),
):
    kernel.compile(signature)
    print(kernel.inspect_asm(kernel.signatures[0]))
"""

FEATURES = (
    "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse4.2,"
    "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
)
"""Named, since numba would take the features of this machine."""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the processors named are x86-64")
@pytest.mark.parametrize(
    ("processor", "vector"),
    [("skylake-avx512", "ymm"), ("znver4", "zmm")],
)
def test_every_pass_is_vectors_and_none_widens_to_64_bits(
    processor: str, vector: str, tmp_path: Path
) -> None:
    """A product of two int64 lanes is what a promoted int32 product becomes."""
    target = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": FEATURES}
    compiled = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env=os.environ | target | {"NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    if f"'{processor}' is not a recognized processor" in compiled.stderr:
        pytest.skip("this LLVM is older than the processor")
    assert not compiled.returncode, compiled.stderr
    assembly = compiled.stdout
    assert not re.findall(r"vpmul(?:dq|udq|lq|ld)\b.*|vpmov[sz]x..?q\b.*", assembly)
    assert len(re.findall(rf"vdivpd.*%{vector}", assembly)) == 2
    assert re.search(r"vdivps.*%[yz]mm", assembly)
