from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from ensemble.config import Config, CustomMember, load_config
from ensemble.errors import ConfigError
from ensemble.members import (
    MEMBERS,
    Member,
    configured_members,
    frozen_options,
    resolve,
)
from ensemble.networks.catalogue import ARCHITECTURES
from ensemble.vocabulary import FILLS, VIEWS, check_stage

SLIDES = {
    "restoration": {
        "unet-efficientnet-b0": ("unet", "efficientnet-b0"),
        "unet-mobilenet-v2": ("unet", "mobilenet_v2"),
        "manet-efficientnet-b1": ("manet", "efficientnet-b1"),
        "unet-efficientnet-b4": ("unet", "efficientnet-b4"),
        "unet-regnetx-008": ("unet", "tu-regnetx_008"),
    },
    "colorization": {
        "unet-efficientnet-b1": ("unet", "efficientnet-b1"),
        "deeplabv3-efficientnet-b2": ("deeplabv3", "efficientnet-b2"),
        "fpn-resnet50": ("fpn", "resnet50"),
        "unet-resnext50-32x4d": ("unet", "resnext50_32x4d"),
        "unet-regnetx-008": ("unet", "tu-regnetx_008"),
    },
}


def table(**changes: object) -> CustomMember:
    content = {"name": "mine", "stage": "restoration", "arch": "Unet", "encoder": "resnet18"}
    return CustomMember.model_validate(content | changes)


def check_all(members: Iterable[Member]) -> None:
    from ensemble.networks.catalogue import check_member  # takes seconds: smp and timm

    for member in members:
        check_member(member)


@pytest.mark.parametrize("stage", ["restoration", "colorization"])
def test_the_networks_of_the_slides(stage: str) -> None:
    known = MEMBERS[check_stage(stage)]
    assert (
        SLIDES[stage].items()
        <= {name: (member.arch, member.encoder) for name, member in known.items()}.items()
    )


@pytest.mark.parametrize("stage", ["restoration", "colorization"])
def test_every_entry_is_consistent(stage: str) -> None:
    for name, member in MEMBERS[check_stage(stage)].items():
        assert (member.name, member.stage) == (name, stage)
        encoded = member.kind == "trained" and member.arch not in ARCHITECTURES
        assert encoded == bool(member.encoder)
        assert hash(member) == hash(pickle.loads(pickle.dumps(member)))


def test_members_and_the_registry_are_frozen() -> None:
    member = MEMBERS["restoration"]["unet-efficientnet-b0"]
    with pytest.raises(FrozenInstanceError):
        member.arch = "fpn"  # type: ignore[misc]
    with pytest.raises(TypeError):
        MEMBERS["restoration"]["mine"] = member  # type: ignore[index]


def test_the_order_is_the_users() -> None:
    names = ["telea", "manet-efficientnet-b1", "unet-efficientnet-b0"]
    assert [member.name for member in resolve("restoration", names)] == names


def test_an_unknown_name_lists_the_valid_ones_nearest_first() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("restoration", ["unet_mobilenetv2"])
    text = str(caught.value)
    assert text.startswith("`unet_mobilenetv2` is no member of restoration; valid, nearest first: ")
    listed = text.split("first: ")[1].replace("`", "").split(", ")
    assert listed[0] == "unet-mobilenet-v2"
    assert sorted(listed) == sorted(MEMBERS["restoration"])


def test_an_unknown_stage() -> None:
    with pytest.raises(ConfigError, match=r"`restore` is no stage; .*first: `restoration`"):
        resolve("restore", [])


def test_names_that_would_share_a_folder_on_some_disks() -> None:
    tables = [
        CustomMember(name=name, stage="restoration", arch="unet", encoder="resnet18")
        for name in ("mine", "Mine")
    ]
    assert len(resolve("restoration", ["Mine"], custom=tables)) == 1
    with pytest.raises(ConfigError, match=r"differ in more than capitals, .* `mine`: .* rename"):
        resolve("restoration", ["mine", "telea", "Mine"], custom=tables)


def test_a_name_given_twice() -> None:
    with pytest.raises(ConfigError, match="`telea` is named twice for restoration"):
        resolve("restoration", ["telea", "telea"])


def test_the_input_mode_reaches_trained_restorers_only() -> None:
    names = ["unet-efficientnet-b0", "telea"]
    config = Config().replace("restoration", members=names, input_mode="prefilled+mask")
    network, classical = configured_members(config, "restoration")
    assert (network.input_mode, network.in_channels) == ("prefilled+mask", 2)
    config = config.replace("restoration", input_mode="prefilled+mask+distance")
    assert configured_members(config, "restoration")[0].in_channels == 3
    config = config.replace("restoration", input_mode="fills+mask+distance")
    mixer = configured_members(config, "restoration")[0]
    assert (mixer.in_channels, mixer.out_channels) == (len(FILLS) + 2, len(FILLS) + 1)
    assert classical.input_mode == "damaged"
    colorizer = configured_members(config, "colorization")[0]
    assert (colorizer.input_mode, colorizer.in_channels) == ("restored", 1)
    assert resolve("restoration", names)[0].input_mode == "prefilled"


def test_a_table_gives_one_member_of_the_registry_another_input_mode() -> None:
    names = ["unet-efficientnet-b0", "unet-mobilenet-v2"]
    content = {
        "restoration": {"members": names},
        "member": [{"name": names[0], "stage": "restoration", "input_mode": "damaged"}],
    }
    changed, same = configured_members(Config.model_validate(content), "restoration")
    registry = MEMBERS["restoration"]
    assert changed == replace(registry[names[0]], input_mode="damaged")
    assert same == registry[names[1]]


def settings_of(member: str, **keys: object) -> CustomMember:
    return table(name=member, arch="", encoder="", **keys)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            settings_of("unet-efficientnet-b9", seed=1),
            "[[member]] `unet-efficientnet-b9` must have an `arch`, or be named after a member of "
            "the registry and have neither `encoder` nor `options`; give it one, or for "
            "restoration name it `unet-efficientnet-b0`, `unet-efficientnet-b4`, "
            "`manet-efficientnet-b1`",
        ),
        (
            table(name="unet-efficientnet-b0", arch=""),
            "[[member]] `unet-efficientnet-b0` must have an `arch`, or",
        ),
        (
            settings_of("telea", epochs=2),
            "[[member]] `telea` sets `epochs`, which changes nothing for it (it is fixed, not "
            "trained); delete that line",
        ),
        (table(arch="external"), "is made elsewhere and has neither `encoder` nor `options`"),
        (
            table(arch="external", encoder="", seed=1),
            "sets `seed`, which changes nothing for it (it is external, not trained)",
        ),
        (
            settings_of("fpn-resnet50", stage="colorization", hole_loss=0.5, l1=1.0),
            "[[member]] `fpn-resnet50` sets `hole_loss`, which changes nothing for it (of "
            "colorization); delete that line",
        ),
    ],
)
def test_a_table_that_does_not_fit_its_member_is_refused(wrong: CustomMember, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve(wrong.stage, [], custom=[wrong])


def test_outputs() -> None:
    colorization = MEMBERS["colorization"]
    restorer = MEMBERS["restoration"]["telea"]
    assert (restorer.output, restorer.out_channels) == ("gray", 1)
    assert (colorization["eccv16"].output, colorization["eccv16"].out_channels) == ("rgb", 3)
    histogram = colorization["histogram-resnet18"]
    assert (histogram.output, histogram.out_channels) == ("histogram", 180)


def test_a_digest_follows_the_spec_and_not_the_name() -> None:
    member = MEMBERS["restoration"]["unet-efficientnet-b0"]
    assert replace(member, name="other").digest() == member.digest()
    changed = [
        replace(member, arch="fpn"),
        replace(member, encoder="resnet18"),
        replace(member, options=(("decoder_attention_type", "scse"),)),
        replace(member, input_mode="prefilled+mask"),
        replace(member, input_mode="prefilled+mask+distance"),
        replace(member, stage="colorization"),
    ]
    assert len({member.digest(), *(other.digest() for other in changed)}) == 7


def test_a_digest_is_that_of_earlier_versions() -> None:
    """Else every checkpoint of before would be stale."""
    member = MEMBERS["restoration"]["unet-efficientnet-b0"]
    assert member.digest().startswith("648992aae454")


def test_custom_members() -> None:
    tables = [
        table(options={"decoder_channels": [64, 32, 16, 8, 4]}),
        table(name="timm", encoder="tu-convnext_atto.d2_in1k"),
        table(name="hues", stage="colorization", arch="histogram", encoder="mobilenetv3_small_050"),
        table(name="theirs", arch="external", encoder=""),
    ]
    mine, timm, theirs = resolve("restoration", ["mine", "timm", "theirs"], custom=tables)
    assert (mine.arch, mine.kind, mine.input_mode) == ("unet", "trained", "prefilled")
    assert dict(mine.options) == {"decoder_channels": (64, 32, 16, 8, 4)}
    assert timm.encoder == "tu-convnext_atto.d2_in1k"
    assert theirs.kind == "external"
    (hues,) = resolve("colorization", ["hues"], custom=tables)
    assert (hues.output, hues.input_mode) == ("histogram", "restored")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch": "unett"}, r"`unett` is no architecture \(of member `mine`\); .*first: `unet`"),
        ({"encoder": "resnet81"}, r"`resnet81` is no encoder \(of member `mine`\); .*`resnet18`"),
        ({"encoder": "tu-regnetx_08"}, r"`tu-regnetx_08` is no encoder .*first: `tu-regnetx_008`"),
        ({"name": "telea"}, "`telea` is already a member of restoration; choose another, or leave"),
    ],
)
def test_wrong_custom_members(changes: dict[str, str], message: str) -> None:
    wrong = table(**changes)
    with pytest.raises(ConfigError, match=message):
        check_all(resolve("restoration", [wrong.name], custom=[wrong]))


def test_a_custom_histogram_with_an_unknown_encoder() -> None:
    wrong = table(stage="colorization", arch="histogram", encoder="resnet-18")
    with pytest.raises(ConfigError, match=r"no timm encoder .*first: `resnet18`"):
        check_all(resolve("colorization", ["mine"], custom=[wrong]))


SHA256 = "5A" * 32


def onnx_table(**changes: object) -> CustomMember:
    given = {"arch": "onnx", "encoder": "", "file": "lama.onnx", "adapter": "inpainting"}
    return table(**{**given, **changes})


def test_an_onnx_file_is_a_fixed_member_with_every_view() -> None:
    (mine,) = resolve("restoration", ["mine"], custom=[onnx_table(sha256=SHA256)])
    assert (mine.kind, mine.arch, mine.file, mine.adapter) == (
        "fixed",
        "onnx",
        "lama.onnx",
        "inpainting",
    )
    assert mine.sha256 == SHA256.lower()
    assert mine.views == VIEWS
    color = onnx_table(stage="colorization", adapter="gray-to-ab")
    (mine,) = resolve("colorization", ["mine"], custom=[color])
    assert (mine.input_mode, mine.output) == ("restored", "rgb")


def test_the_digest_of_an_onnx_member_follows_its_adapter_and_not_where_its_file_lies() -> None:
    (mine,) = resolve("restoration", ["mine"], custom=[onnx_table()])
    assert replace(mine, file="elsewhere/lama.onnx", sha256="5a" * 32).digest() == mine.digest()
    assert replace(mine, adapter="another").digest() != mine.digest()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            onnx_table(file=None),
            '[[member]] `mine` with `arch = "onnx"` must have a `file` and an `adapter`, and '
            "neither `encoder` nor `options`; correct it",
        ),
        (onnx_table(encoder="resnet18"), "neither `encoder` nor `options`"),
        (onnx_table(options={"width": 3}), "neither `encoder` nor `options`"),
        (onnx_table(adapter=None), "`` is no adapter of restoration (of member `mine`); valid"),
        (
            onnx_table(adapter="gray-to-ab"),
            "`gray-to-ab` is no adapter of restoration (of member `mine`); valid, nearest first: "
            "`inpainting`",
        ),
        (
            onnx_table(stage="colorization", adapter="gray_to_ab"),
            "`gray_to_ab` is no adapter of colorization (of member `mine`); valid, nearest first: "
            "`gray-to-ab`, `lightness-to-ab`",
        ),
        (onnx_table(epochs=3), "sets `epochs`, which changes nothing for it (it is fixed"),
        (
            table(file="lama.onnx"),
            '[[member]] `mine` sets `file`, which only a member with `arch = "onnx"` has; delete',
        ),
        (table(name="telea", arch="", encoder="", adapter="inpainting"), "sets `adapter`, which"),
    ],
)
def test_wrong_onnx_members(wrong: CustomMember, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve(wrong.stage, [wrong.name], custom=[wrong])


def test_a_sha256_has_64_digits(tmp_path: Path) -> None:
    path = tmp_path / "ens.toml"
    path.write_text('[[member]]\nname = "m"\nstage = "restoration"\narch = "onnx"\nsha256 = "5a"')
    with pytest.raises(ConfigError, match="`member.sha256` of .* `m`: string should match pattern"):
        load_config(path)


def test_options_do_not_depend_on_their_order() -> None:
    one, other = {"a": [1, [2]], "b": "x"}, {"b": "x", "a": [1, [2]]}
    assert frozen_options(one) == frozen_options(other) == (("a", (1, (2,))), ("b", "x"))
    first = Member("m", "restoration", "trained", "unet", "resnet18", frozen_options(one))
    assert first.digest() == replace(first, options=frozen_options(other)).digest()


def test_naming_members_needs_no_torch() -> None:
    code = (
        "import sys; from ensemble.members import resolve;"
        "resolve('restoration', ['telea']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
