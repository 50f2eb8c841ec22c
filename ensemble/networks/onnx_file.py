"""A network in an ONNX file, run by onnxruntime: a graph of known operators, and no code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import ConfigError, WeightsError

FLOAT32 = "tensor(float)"


class OnnxNetwork:
    """A network whose inputs and output were found to be as due; the file holds its weights itself.

    `inputs` names the channels of each input by the name that is usual for it: one of another name
    is taken where its channels tell which it is. `channels` are the output's; the file may have
    others with other channels. `size` is (height, width) of the inputs, None where it takes any.
    The SHA-256, in lower case, may be empty where any will do.

    Raises:
        ConfigError: onnxruntime is not installed.
        WeightsError: The file is not there, is another than `sha256` says or no ONNX file, or its
            inputs and outputs are not as due.
    """

    def __init__(
        self, path: Path, *, sha256: str, inputs: Mapping[str, int], channels: int
    ) -> None:
        self.path = path
        self._channels = channels
        self._session, found, outputs = _open(path, sha256)
        chosen = {name: _choose(found, name, inputs[name]) for name in inputs}
        answers = [output for output in outputs if _fits(output, channels)]
        sizes = {tuple(one.shape[2:]) for one in chosen.values() if one is not None}
        fixed = {size for size in sizes if all(isinstance(side, int) for side in size)}
        same = len(found) == len(inputs) == len({one.name for one in chosen.values() if one})
        if not same or len(answers) != 1 or (fixed and len(sizes) > 1):
            wanted = ", ".join(f"`{n}` float32 (1, {c}, height, width)" for n, c in inputs.items())
            raise WeightsError(
                f"`{path}` must take {wanted} of one size, and give one output float32 "
                f"(1, {channels}, height, width), but takes {_describe_all(found)} and gives "
                f"{_describe_all(outputs)}; choose another adapter, or another file"
            )
        self._names = {name: one.name for name, one in chosen.items() if one}
        self._output = answers[0].name
        self.size: tuple[int, int] | None = next(iter(fixed), None)

    def __call__(self, **inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run it on inputs (1, channels, H, W) float32, by the names given for them.

        Returns (1, channels, h, w) float32.

        Raises:
            WeightsError: It cannot take this size, or its answer is not finite or has another
                shape.
        """
        fed = {self._names[name]: np.ascontiguousarray(value) for name, value in inputs.items()}
        try:
            (answer,) = self._session.run([self._output], fed)
        except Exception as error:  # onnxruntime has no class of its own that is public
            shapes = ", ".join(str(value.shape) for value in fed.values())
            raise WeightsError(
                f"`{self.path}` cannot be run on inputs of shape {shapes}: {_first_line(error)}"
            ) from None
        if answer.ndim != 4 or answer.shape[:2] != (1, self._channels):
            raise WeightsError(
                f"`{self.path}` must answer with (1, {self._channels}, height, width), but "
                f"answered with {answer.shape}"
            )
        if not np.isfinite(answer).all():
            raise WeightsError(f"`{self.path}` must answer with finite numbers, but did not")
        return answer


class _End(NamedTuple):
    """An input or output; a side that is free has a name."""

    name: str
    type: str
    shape: list[Any]


def _open(path: Path, sha256: str) -> tuple[Any, list[_End], list[_End]]:
    """A session of the very bytes that were digested, its inputs and its outputs."""
    runtime = _import_runtime()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"`{path}` cannot be read ({error.strerror})") from None
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256:
        raise WeightsError(
            f"the SHA-256 of `{path}` must be {sha256}, as `sha256` in ens.toml says, but is "
            f"{digest}; get the file again, or correct `sha256`"
        )
    available = runtime.get_available_providers()
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        for outside in list_outside(content):
            raise ValueError(f"some are in the file `{outside}`")
        providers = [name for name in wanted if name in available]
        # Without another provider a second attempt would only print that there is one.
        session = runtime.InferenceSession(
            content, options, providers=providers, enable_fallback=int(len(providers) > 1)
        )
        # Their names are decoded only here, and may be no text.
        ends = session.get_inputs(), session.get_outputs()
        found, outputs = ([_End(one.name, one.type, one.shape) for one in some] for some in ends)
        return session, found, outputs
    except Exception as error:  # as above
        raise WeightsError(
            f"`{path}` is no ONNX file that onnxruntime {runtime.__version__} can run, with all "
            f"weights in it: {_first_line(error)}"
        ) from None


_LEADS_TO = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "outside"},
    "outside": {},
}
"""Of each message of ONNX, the fields by which tensors are reached, and what is said of a tensor's
weights outside the file: texts in pairs, a key and a value."""


def list_outside(content: bytes) -> Iterator[str]:
    """The files that a network reads its weights from, beside its own.

    onnxruntime would look for them from the current folder, and no digest would know of them.

    Raises:
        ValueError: The bytes are not those of protocol buffers.
    """
    left = [("model", memoryview(content))]
    while left:
        kind, message = left.pop()
        fields = list(_read_fields(message))
        if kind == "outside":
            texts = {field: bytes(value).decode(errors="replace") for field, value in fields}
            if texts.get(1) == "location":
                yield texts.get(2, "")
        left += [(to, value) for field, value in fields if (to := _LEADS_TO[kind].get(field))]


def _read_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that have a length, each with its number."""
    place = 0
    while place < len(message):
        tag, place = _read_number(message, place)
        wire = tag & 7
        if wire == 0:
            _, place = _read_number(message, place)
            continue
        length = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            length, place = _read_number(message, place)
        if length is None or place + length > len(message):
            raise ValueError("it is not in the format of protocol buffers")
        if wire == 2:
            yield tag >> 3, message[place : place + length]
        place += length


def _read_number(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the least significant first; and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise ValueError("it is not in the format of protocol buffers")


def _import_runtime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError(
            'members with `arch = "onnx"` need onnxruntime; install it by '
            "`pip install dacon-ens[onnx]`, or onnxruntime-gpu for a GPU"
        ) from None
    onnxruntime.set_default_logger_severity(3)  # errors only
    return onnxruntime


def _choose(found: list[_End], name: str, channels: int) -> _End | None:
    """The input of this name, else the only one with these channels, else None."""
    fitting = [one for one in found if _fits(one, channels)]
    named = [one for one in fitting if one.name == name]
    exact = [one for one in fitting if one.shape[1] == channels]
    for candidates in (named, exact, fitting):
        if len(candidates) == 1:
            return candidates[0]
    return None


def _fits(one: _End, channels: int) -> bool:
    """Whether an input or output can be (1, channels, H, W) float32."""
    shape = one.shape
    if one.type != FLOAT32 or len(shape) != 4:
        return False
    pairs = zip(shape[:2], (1, channels), strict=True)
    return all(side == due or not isinstance(side, int) for side, due in pairs)


def _describe_all(found: list[_End]) -> str:
    kinds = ((one.type.removeprefix("tensor(").removesuffix(")"), one) for one in found)
    texts = [
        f"`{one.name}` {'float32' if kind == 'float' else kind} ({', '.join(map(str, one.shape))})"
        for kind, one in kinds
    ]
    return ", ".join(texts) or "nothing"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
