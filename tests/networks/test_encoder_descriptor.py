from __future__ import annotations

import pytest

from ensemble.errors import WeightsError
from ensemble.networks import encoder_descriptor
from ensemble.networks.encoder_descriptor import EncoderDescriptor
from tests.reference.descriptor_contract import DescriptorContract


class TestContract(DescriptorContract):
    def make(self) -> EncoderDescriptor:
        return EncoderDescriptor("resnet10t", encoder_weights="none", threshold=0.99)


def test_missing_weights_name_the_way_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(encoder: str, encoder_weights: str) -> None:
        raise WeightsError("not in the cache")

    monkeypatch.setattr(encoder_descriptor, "timm_arguments", refuse)
    with pytest.raises(WeightsError, match="or use `--descriptor classical`, which needs none"):
        EncoderDescriptor()
