from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from ensemble.errors import ConfigError, WeightsError
from ensemble.networks import onnx_file
from ensemble.networks.onnx_file import OnnxNetwork, list_outside
from tests.reference.onnx_files import Inpainter, Tint, export

PICTURE_AND_MASK = {"image": 3, "mask": 1}


def open_inpainter(path: Path, sha256: str = "") -> OnnxNetwork:
    return OnnxNetwork(path, sha256=sha256, inputs=PICTURE_AND_MASK, channels=3)


def inpainter(path: Path, *, names: tuple[str, str] = ("image", "mask"), **options: object) -> Path:
    shapes = dict(zip(names, [(1, 3, 16, 24), (1, 1, 16, 24)], strict=True))
    return export(Inpainter(), path / "inpainter.onnx", shapes, **options)


@pytest.mark.parametrize("names", [("image", "mask"), ("x", "y"), ("mask", "image")])
def test_it_answers_as_the_network_whatever_its_inputs_are_called(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    network = open_inpainter(inpainter(tmp_path, names=names))
    image, mask = torch.rand(1, 3, 16, 24), (torch.rand(1, 1, 16, 24) > 0.5).float()
    answer = network(image=image.numpy(), mask=mask.numpy())
    np.testing.assert_allclose(answer, Inpainter()(image, mask).numpy(), rtol=1e-5, atol=1e-4)
    assert network.size == (16, 24)


def test_a_network_for_any_size_has_none(tmp_path: Path) -> None:
    network = open_inpainter(inpainter(tmp_path, free_size=True))
    assert network.size is None
    for size in ((8, 40), (16, 24)):
        image, mask = torch.rand(1, 3, *size), torch.ones(1, 1, *size)
        answer = network(image=image.numpy(), mask=mask.numpy())
        np.testing.assert_allclose(answer, Inpainter()(image, mask).numpy(), rtol=1e-5, atol=1e-4)


def test_a_wrong_shape_names_what_is_due_and_what_is_there(tmp_path: Path) -> None:
    path = export(Tint(), tmp_path / "tint.onnx", {"input": (1, 3, 16, 24)}, outputs=["ab"])
    message = (
        f"`{path}` must take `image` float32 (1, 3, height, width), `mask` float32 (1, 1, height, "
        "width) of one size, and give one output float32 (1, 3, height, width), but takes `input` "
        "float32 (1, 3, 16, 24) and gives `ab` float32 (1, 2, 16, 24); choose another adapter, or "
        "another file"
    )
    with pytest.raises(WeightsError, match=re.escape(message)):
        open_inpainter(path)


def test_a_wrong_type_is_refused(tmp_path: Path) -> None:
    half = export(
        nn.Identity(), tmp_path / "half.onnx", {"input": (1, 2, 8, 8)}, dtype=torch.float64
    )
    with pytest.raises(WeightsError, match=r"takes `input` double \(1, 2, 8, 8\)"):
        OnnxNetwork(half, sha256="", inputs={"input": 2}, channels=2)


class Two(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, : self.channels] * 2, x[:, :2] + 1


def test_of_several_outputs_the_channels_tell_which_is_meant(tmp_path: Path) -> None:
    names = ["other", "ab"]
    path = export(Two(1), tmp_path / "two.onnx", {"input": (1, 3, 8, 8)}, outputs=names)
    x = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    answer = OnnxNetwork(path, sha256="", inputs={"input": 3}, channels=2)(input=x)
    np.testing.assert_allclose(answer, x[:, :2] + 1)
    path = export(Two(2), tmp_path / "two.onnx", {"input": (1, 3, 8, 8)}, outputs=names)
    with pytest.raises(WeightsError, match=r"gives `other` float32 .*, `ab` float32"):
        OnnxNetwork(path, sha256="", inputs={"input": 3}, channels=2)


def test_inputs_of_two_sizes_are_refused(tmp_path: Path) -> None:
    class Mean(nn.Module):
        def forward(self, image: Tensor, mask: Tensor) -> Tensor:
            return image * mask.mean()

    shapes = {"image": (1, 3, 8, 8), "mask": (1, 1, 4, 4)}
    with pytest.raises(WeightsError, match="of one size"):
        open_inpainter(export(Mean(), tmp_path / "mean.onnx", shapes))


def test_an_answer_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    class Log(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.log(x)

    path = export(Log(), tmp_path / "log.onnx", {"input": (1, 2, 8, 8)})
    network = OnnxNetwork(path, sha256="", inputs={"input": 2}, channels=2)
    with pytest.raises(WeightsError, match="must answer with finite numbers"):
        network(input=np.zeros((1, 2, 8, 8), dtype=np.float32))
    with pytest.raises(WeightsError, match=r"cannot be run on inputs of shape \(1, 2, 4, 4\)"):
        network(input=np.ones((1, 2, 4, 4), dtype=np.float32))


def test_the_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    path = inpainter(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    open_inpainter(path, digest)
    with pytest.raises(WeightsError, match=f"must be {'0' * 64}, .* but is {digest}"):
        open_inpainter(path, "0" * 64)


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "page.onnx"
    with pytest.raises(WeightsError, match=r"page.onnx` cannot be read \(No such file"):
        open_inpainter(path)
    path.write_text("<html>not found</html>")
    with pytest.raises(WeightsError, match=r"page.onnx` is no ONNX file that onnxruntime"):
        open_inpainter(path)


@pytest.mark.parametrize("count", [1, -1], ids=["where it is used", "everywhere"])
def test_a_name_that_is_no_text(
    tmp_path: Path, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = inpainter(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"image", b"\xffmage", count))
    with pytest.raises(WeightsError, match=r"is no ONNX file that onnxruntime .*decode byte 0xff"):
        open_inpainter(path)
    assert capfd.readouterr() == ("", "")  # onnxruntime itself would say that it tries again


def test_without_onnxruntime_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def fail(name: str, *arguments: object, **keywords: object) -> object:
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ConfigError, match=r"need onnxruntime; .*`pip install dacon-ens\[onnx\]`"):
        open_inpainter(tmp_path / "any.onnx")


def outside(location: str) -> onnx.TensorProto:
    """Weights that a file beside the network holds."""
    tensor = onnx.TensorProto(name="W", data_type=1, dims=[1, 3, 4, 4], data_location="EXTERNAL")
    for key, value in (("length", "192"), ("location", location)):
        tensor.external_data.add(key=key, value=value)
    return tensor


def graph(**parts: list) -> onnx.GraphProto:
    shape = onnx.helper.make_tensor_value_info("image", 1, [1, 3, 4, 4])
    answer = onnx.helper.make_tensor_value_info("answer", 1, [1, 3, 4, 4])
    empty = onnx.helper.make_graph([], "g", [shape], [answer])
    for name, values in parts.items():
        getattr(empty, name).extend(values)
    return empty


def node(**attributes: object) -> onnx.NodeProto:
    return onnx.helper.make_node("Any", ["image"], ["answer"], **attributes)


def sparse(tensor: onnx.TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=tensor)


@pytest.mark.parametrize("location", ["beside.bin", "../../secret.bin", "/etc/passwd", "*/_ORT_"])
@pytest.mark.parametrize(
    "place",
    [
        lambda tensor: graph(initializer=[tensor]),
        lambda tensor: graph(sparse_initializer=[sparse(tensor)]),
        lambda tensor: graph(node=[node(value=tensor)]),
        lambda tensor: graph(node=[node(values=[tensor, tensor])]),
        lambda tensor: graph(node=[node(value=sparse(tensor))]),
        lambda tensor: graph(node=[node(branch=graph(initializer=[tensor]))]),
        lambda tensor: graph(node=[node(branches=[graph(node=[node(value=tensor)])])]),
    ],
)
def test_weights_of_another_file_are_not_reached(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    place: Callable[[onnx.TensorProto], onnx.GraphProto],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.bin").write_bytes(bytes(192))
    path = tmp_path / "network.onnx"
    path.write_bytes(onnx.helper.make_model(place(outside(location))).SerializeToString())
    message = f"`{path}` is no ONNX file .* with all weights in it: some are in the file "
    with pytest.raises(WeightsError, match=message + re.escape(f"`{location}`")):
        OnnxNetwork(path, sha256="", inputs={"image": 3}, channels=3)


def test_weights_of_a_function_are_found_too() -> None:
    function = onnx.helper.make_function(
        "own", "F", ["x"], ["y"], [node(value=outside("f.bin"))], [onnx.helper.make_opsetid("", 17)]
    )
    model = onnx.helper.make_model(graph(), functions=[function])
    training = onnx.TrainingInfoProto(initialization=graph(initializer=[outside("t.bin")]))
    model.training_info.append(training)
    assert sorted(list_outside(model.SerializeToString())) == ["f.bin", "t.bin"]


@pytest.mark.parametrize(
    "content", [b"\x3a", b"\x3a\x05ab", b"\xff" * 20, b"\x0b\x00", b"\x08" + b"\x80" * 12]
)
def test_what_is_no_protocol_buffer_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"`{path}` is no ONNX file .*protocol buffers"):
        open_inpainter(path)


def test_all_that_leads_to_a_tensor_is_looked_at() -> None:
    """By the descriptions of onnx itself: a new field that holds tensors would be missed."""
    known = {"model": onnx.ModelProto, "training": onnx.TrainingInfoProto}
    known |= {"function": onnx.FunctionProto, "graph": onnx.GraphProto, "node": onnx.NodeProto}
    known |= {"attribute": onnx.AttributeProto, "sparse": onnx.SparseTensorProto}
    kinds = {kind.DESCRIPTOR.full_name: name for name, kind in known.items()}
    kinds["onnx.TensorProto"] = "tensor"
    for name, kind in known.items():
        fields = {
            field.number: kinds[field.message_type.full_name]
            for field in kind.DESCRIPTOR.fields
            if field.message_type and field.message_type.full_name in kinds
        }
        assert onnx_file._LEADS_TO[name] == fields
