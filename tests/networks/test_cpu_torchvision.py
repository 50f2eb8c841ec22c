from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ensemble.networks import cpu_torchvision

pytestmark = pytest.mark.skipif(torch.version.cuda is not None, reason="torch has CUDA")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_torchvision_imports_after_the_module() -> None:
    done = run("import ensemble.networks.cpu_torchvision, torchvision; print(torchvision.__name__)")
    assert done.stdout.strip() == "torchvision", done.stderr


def test_nothing_is_declared_twice() -> None:
    assert cpu_torchvision.define_missing_operators() is None


def test_an_undefined_kernel_still_fails() -> None:
    if cpu_torchvision._KEPT_ALIVE is None:
        pytest.skip("torchvision's own operators load here")
    with pytest.raises(NotImplementedError, match="nms"):
        torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)


def test_a_torch_with_cuda_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(cpu_torchvision, "_operators_load", lambda: pytest.fail("was asked"))
    assert cpu_torchvision.define_missing_operators() is None
