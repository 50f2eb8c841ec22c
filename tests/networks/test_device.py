from __future__ import annotations

import pytest
import torch

from ensemble.networks.device import autocast, choose_precision


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((9, 0), "bf16"),
        ((8, 0), "bf16"),
        ((7, 5), "fp16"),  # T4
        ((7, 0), "fp16"),  # V100
        ((6, 0), "float32"),  # P100
    ],
)
def test_auto_goes_by_what_the_gpu_computes_itself(monkeypatch, capability, precision):
    """torch says of all of them that they support bf16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert choose_precision("auto") == precision
    assert choose_precision("bf16") == "bf16"


def test_without_a_gpu_auto_is_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_precision("auto") == "float32"


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_the_forward_pass_has_that_precision(precision, dtype):
    with autocast(torch.device("cpu"), precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
