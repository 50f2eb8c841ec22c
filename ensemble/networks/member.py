"""What a member is: a named network of one stage, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ensemble.composition.recipe import HUE_BINS, Stage
from ensemble.manifest import digest_json

Kind = Literal["trained", "fixed", "external"]
InputMode = Literal["damaged", "prefilled", "prefilled+mask", "restored"]
Output = Literal["gray", "rgb", "histogram"]
Options = tuple[tuple[str, Any], ...]

HISTOGRAM_ARCH = "histogram"
HISTOGRAM_BINS = HUE_BINS


@dataclass(frozen=True)
class Member:
    """One named network of one stage.

    Attributes:
        name: Unique in its stage; names folders too.
        stage: `restoration` or `colorization`.
        kind: `trained` by the toolkit, `fixed` (never trained here), or `external` (its
            predictions were made elsewhere).
        arch: An architecture of smp, `histogram`, or for other kinds the algorithm's name.
        encoder: An encoder of smp, or of timm for `histogram`; empty for other kinds.
        options: Further arguments of the architecture, sorted by name.
        input_mode: What the network is shown. Restoration: `damaged` (the input as it is),
            `prefilled` (its hole inpainted), `prefilled+mask` (and the mask as a second channel).
            Colorization: `restored`, the restored gray.
    """

    name: str
    stage: Stage
    kind: Kind
    arch: str
    encoder: str = ""
    options: Options = ()
    input_mode: InputMode = "damaged"

    @property
    def output(self) -> Output:
        """What the member predicts for a picture."""
        if self.stage == "restoration":
            return "gray"
        return "histogram" if self.arch == HISTOGRAM_ARCH else "rgb"

    @property
    def in_channels(self) -> int:
        """Channels of the network's input."""
        return 2 if self.input_mode == "prefilled+mask" else 1

    @property
    def out_channels(self) -> int:
        """Channels of the network's output; for a histogram, its bins."""
        return {"gray": 1, "rgb": 3, "histogram": HISTOGRAM_BINS}[self.output]

    def digest(self) -> str:
        """SHA-256 of the spec: of everything that decides the network, so not of its name."""
        spec = {key: value for key, value in asdict(self).items() if key != "name"}
        return digest_json(spec)


def frozen_options(options: Mapping[str, Any]) -> Options:
    """Options as sorted, hashable pairs; lists, as TOML has them, become tuples.

    >>> frozen_options({"decoder_channels": [64, 32], "decoder_attention_type": "scse"})
    (('decoder_attention_type', 'scse'), ('decoder_channels', (64, 32)))
    """
    return tuple((name, _frozen(options[name])) for name in sorted(options))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
