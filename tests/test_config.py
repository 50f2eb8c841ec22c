from __future__ import annotations

import re
import tomllib
from itertools import takewhile
from pathlib import Path

import pytest
from pydantic import ValidationError

from ensemble.config import (
    RUNTIME_KEYS,
    Config,
    TrainingSection,
    load_config,
)
from ensemble.config_text import config_text, set_key
from ensemble.errors import ConfigError

MEMBER = """
[[member]]
name = "mine"
stage = "restoration"
arch = "Unet"
encoder = "resnet18"
options = {decoder_channels = [16, 8], decoder_use_norm = "batchnorm", encoder_depth = 2}
"""


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "ens.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_defaults_are_the_slides():
    config = Config()
    assert (config.normalization.mean, config.normalization.std) == (0.5, 0.225)
    assert (config.training.l1, config.training.mse) == (0.5, 0.5)
    assert config.training.learning_rate == 1e-4
    assert config.training.patience == 3
    assert config.training.encoder_weights == "imagenet"
    assert config.training.schedule == "constant"
    assert config.folds.n_folds == 5
    assert config.data.size == 512
    assert len(config.restoration.members) == len(config.colorization.members) == 3


def test_no_file_means_every_default(tmp_path: Path):
    assert load_config(tmp_path / "ens.toml") == Config()
    assert load(tmp_path, "") == Config()


def test_what_is_written_is_read_back(tmp_path: Path):
    assert load(tmp_path, config_text(Config())) == Config()
    changed = load(
        tmp_path,
        'seed = 3\n[training]\nlearning_rate = 2.5e-7\nprecision = "bf16"\n'
        f'[restoration]\nmembers = ["mine", "telea"]\n{MEMBER}',
    )
    assert changed.training.learning_rate == 2.5e-7
    assert changed.member[0].options["decoder_channels"] == [16, 8]
    assert load(tmp_path, config_text(changed)) == changed


def test_text_that_needs_escapes_survives(tmp_path: Path):
    config = Config().replace("blend", storage='journal:///a "b"\\c\u00e9\U0001f600')
    assert load(tmp_path, config_text(config)) == config


def test_options_may_be_nested(tmp_path: Path):
    options = '{pool = {kind = "avg", sizes = [[1, 2], [3]]}, steps = [{rate = 0.5}], deep = true}'
    config = load(tmp_path, MEMBER.replace(MEMBER[MEMBER.index("{") :], options))
    assert config.member[0].options["steps"] == [{"rate": 0.5}]
    assert load(tmp_path, config_text(config)) == config


def test_every_key_is_written_with_its_meaning():
    content = tomllib.loads(config_text(Config()))
    lines = config_text(Config()).splitlines()
    for section, keys in content.items():
        nested = isinstance(keys, dict)
        model = getattr(Config(), section) if nested else Config()
        start = lines.index(f"[{section}]") if nested else 0
        for key in keys if nested else [section]:
            index = next(i for i in range(start, len(lines)) if lines[i].startswith(f"{key} = "))
            comments = takewhile(lambda line: line.startswith("# "), reversed(lines[:index]))
            meaning = " ".join(line[2:] for line in reversed(list(comments)))
            assert meaning.startswith(type(model).model_fields[key].description or "-"), key
    assert max(len(line) for line in lines if line.startswith("#")) <= 100
    assert "RUNTIME_KEYS" not in config_text(Config()), "a name of the code means nothing there"
    assert set(content) == set(Config.model_fields) - {"member"}


def test_choices_are_listed_with_their_key():
    lines = config_text(Config()).splitlines()
    index = lines.index('precision = "auto"')
    comment = " ".join(line.removeprefix("# ") for line in lines[index - 3 : index])
    assert comment.endswith("One of: auto, float32, bf16, fp16.")


def test_the_heading_is_a_comment(tmp_path: Path):
    text = config_text(Config(), heading="Mine\n# of two lines")
    assert text.startswith("# Mine\n# of two lines\n")
    assert load(tmp_path, text) == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[training]\nepoch = 3",
            "unknown key `training.epoch`; the nearest valid one is `epochs`",
        ),
        (
            "[colorization]\ntrain_on = 'mixed'",
            "`colorization.train_on` is no longer a key: colorization always learns from clean "
            "gray; delete it",
        ),
        (
            "[restoration]\nmasked_ssim_loss = 0.5",
            "`restoration.masked_ssim_loss` is no longer a key: it made no difference; "
            "`ssim_finish` is what pays; delete it",
        ),
        (
            MEMBER + "masked_ssim_loss = 0.0",
            "`member.masked_ssim_loss` of [[member]] `mine` is no longer a key: it made no",
        ),
        ("[trainin]\nepochs = 3", "unknown key `trainin`; the nearest valid one is `training`"),
        ("sead = 3", "unknown key `sead`; the nearest valid one is `seed`"),
        (
            MEMBER + 'encodr = "x"',
            "unknown key `member.encodr` of [[member]] `mine`; the nearest valid one is `encoder`",
        ),
        (
            MEMBER + "learning_rte = 1",
            "unknown key `member.learning_rte` of [[member]] `mine`; the nearest valid one is "
            "`learning_rate`",
        ),
        (
            MEMBER + "learning_rate = 0",
            "`member.learning_rate` of [[member]] `mine`: input should be greater than 0, but got "
            "0; correct it, or delete it, so that the member is trained like all others",
        ),
        (MEMBER + "seed = -1", "`member.seed` of [[member]] `mine`: input should be greater than"),
        (MEMBER + "cache = true", "unknown key `member.cache` of [[member]] `mine`"),
        (MEMBER + 'members = ["telea"]', "unknown key `member.members` of [[member]] `mine`"),
        ("[data]\nsize = 8", "`data.size`: input should be greater than or equal to 16, but got 8"),
        ('[training]\nprecision = "fp8"', "'auto', 'float32', 'bf16' or 'fp16', but got 'fp8'"),
        ("[folds]\nn_folds = 1", "`folds.n_folds`: input should be greater than or equal to 2"),
        ("[restoration]\nmembers = []", "`restoration.members`"),
        ('[[member]]\nname = "x"', "`member.stage` of [[member]] `x` must be given"),
        ("[training]\nlearning_rate = nan", "`training.learning_rate`"),
        ("[normalization]\nstd = inf", "`normalization.std`"),
        ("seed = ", "is not valid TOML"),
        ("x = " + "[" * 5000, "is not valid TOML"),
        ("[folds]\nn_folds = 101", "`folds.n_folds`: input should be less than or equal to 100"),
        (
            MEMBER.replace('"mine"', '"../../victim"'),
            "`member.name`: the name of a member must be 1 to 64 letters, digits, `-`, `_` or `.`, "
            "beginning with a letter or digit and not ending in `.`, and no device of Windows as "
            "`con` is, because files are named after it, but got '../../victim'; choose another",
        ),
        ('[colorization]\nmembers = ["gray", ".."]', "`colorization.members`: the name of a mem"),
    ],
)
def test_a_fault_names_its_file_and_key(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError, match=re.escape(message)) as refusal:
        load(tmp_path, text)
    assert str(refusal.value).startswith(f"`{tmp_path / 'ens.toml'}`")


def test_every_fault_is_told_at_once(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"`sede`.*; .*`data\.size`|`data\.size`.*; .*`sede`"):
        load(tmp_path, "sede = 1\n[data]\nsize = 1")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path):
    (tmp_path / "ens.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_config(tmp_path / "ens.toml")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path):
    path = tmp_path / "ens.toml"
    path.write_bytes(b"\xef\xbb\xbf[training]\nepochs = 7\n")
    assert load_config(path).training.epochs == 7
    set_key(path, "training", "encoder_weights", "none")
    changed = load_config(path).training
    assert (changed.epochs, changed.encoder_weights) == (7, "none")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"[training]\nepochs = {10**30}", "training.epochs"),
        (f"[training]\naccumulate = {10**30}", "training.accumulate"),
        ("[training]\nl1 = 1e308", "training.l1"),
        ("[training]\nnum_workers = 1000000000", "training.num_workers"),
        (f"[inference]\nbatch_size = {10**30}", "inference.batch_size"),
        ("[blend]\ntrials = 1000000000", "blend.trials"),
        (f"{MEMBER}batch_size = {10**30}", "member.batch_size"),
    ],
)
def test_no_number_is_so_large_that_a_library_fails_or_never_ends(
    tmp_path: Path, text: str, key: str
):
    with pytest.raises(ConfigError, match=f"`{key}`.*less than or equal to .*, but got 1"):
        load(tmp_path, text)


def test_flags_override_and_leave_the_rest():
    config = Config().replace("training", epochs=2, learning_rate=None)
    assert config.training.epochs == 2
    assert config.training.learning_rate == Config().training.learning_rate
    assert config.replace("training", epochs=Config().training.epochs) == Config()


def test_a_flag_that_breaks_a_rule_is_refused():
    with pytest.raises(ConfigError, match=r"the command line: `training\.epochs`: .* but got 0"):
        Config().replace("training", epochs=0)


OWN = (
    MEMBER
    + """
seed = 7
learning_rate = 3e-4
epochs = 4
schedule = "cosine"
hole_loss = 0.5

[training]
epochs = 9
"""
)


def test_a_member_has_the_settings_of_its_table_and_no_other_has(tmp_path: Path):
    config = load(tmp_path, OWN)
    assert load(tmp_path, config_text(config)) == config
    assert "One of: constant, cosine, one-cycle." in config_text(config)
    mine = config.of_member("restoration", "mine")
    rest = {"weight_decay": 0.01, "epochs": 4, "learning_rate": 3e-4, "schedule": "cosine"}
    assert {key: getattr(mine.training, key) for key in rest} == rest
    assert (mine.seed, mine.restoration.hole_loss) == (7, 0.5)
    for other in (("restoration", "other"), ("colorization", "mine")):
        assert config.of_member(*other) == config
    assert (config.seed, config.training.epochs, config.restoration.hole_loss) == (0, 9, 0.0)


def test_a_flag_of_how_long_holds_for_every_member_and_one_of_what_does_not(tmp_path: Path):
    config = load(tmp_path, OWN).replace("training", epochs=2, learning_rate=1e-2)
    training = config.of_member("restoration", "mine").training
    assert (training.epochs, training.learning_rate) == (2, 3e-4)
    assert config.training.learning_rate == 1e-2


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Config().seed = 1  # type: ignore[misc]


def test_runtime_keys_are_keys_of_training():
    assert set(TrainingSection.model_fields) >= RUNTIME_KEYS


COMMENTED = """# mine
[training] # how
# slow but sure
learning_rate = 1e-5   # found by hand
encoder_weights = "imagenet"\t# for now

[[member]]
name = "mine"   # of my own
stage = "restoration"
arch = "unet"
"""


def test_setting_a_key_changes_that_key_alone(tmp_path: Path):
    path = tmp_path / "ens.toml"
    path.write_text(COMMENTED)
    set_key(path, "training", "encoder_weights", "none")
    assert path.read_text() == COMMENTED.replace('"imagenet"', '"none"')


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (COMMENTED, COMMENTED.rstrip()),
        ("training.epochs = 3 # dotted\n", "# dotted"),
        ("training = {epochs = 3} # inline\n", "# inline"),
        ("", ""),
    ],
)
def test_setting_a_key_that_is_not_there_adds_it(tmp_path: Path, text: str, kept: str):
    before = load(tmp_path, text)
    set_key(tmp_path / "ens.toml", "training", "patience", 7)
    set_key(tmp_path / "ens.toml", "folds", "n_folds", 3)
    after = load_config(tmp_path / "ens.toml")
    assert after == before.replace("training", patience=7).replace("folds", n_folds=3)
    assert all(line in (tmp_path / "ens.toml").read_text() for line in kept.splitlines())


def test_setting_a_key_of_no_file_writes_every_default(tmp_path: Path):
    set_key(tmp_path / "ens.toml", "data", "size", 64)
    expected = config_text(Config()).replace("size = 512", "size = 64")
    assert (tmp_path / "ens.toml").read_text() == expected


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        (COMMENTED, "ImageNet", "`training.encoder_weights`"),
        ("[training", "none", "is not valid TOML"),
    ],
)
def test_setting_a_wrong_value_leaves_the_file(tmp_path: Path, text: str, value: str, message: str):
    path = tmp_path / "ens.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        set_key(path, "training", "encoder_weights", value)
    assert path.read_text() == text


def test_an_option_that_json_cannot_hold_is_refused(tmp_path: Path):
    """A member's digest is taken of its options as JSON."""
    with pytest.raises(ConfigError, match=r"`member\.options\.day"):
        load(tmp_path, MEMBER.replace("{", "{day = 2020-01-01, ", 1))


def test_any_key_and_text_of_an_option_is_read_back(tmp_path: Path):
    options = '{"a key" = "\\u007f \\t", b = [0.1, 1e-9]}'
    config = load(tmp_path, MEMBER.replace(MEMBER[MEMBER.index("{") :], options))
    assert load(tmp_path, config_text(config)) == config


def test_a_link_to_nothing_is_not_taken_for_no_file(tmp_path: Path):
    path = tmp_path / "ens.toml"
    path.symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match=r"is a link to `.*gone\.toml`, which is not there; put"):
        load_config(path)


def test_a_section_of_the_old_spelling_is_refused_with_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "ens.toml").write_text("[normalisation]\nmean = 0.5\n")  # spelled as it was
    with pytest.raises(ConfigError, match="`normalisation`; the nearest valid one is `normaliz"):
        load_config(tmp_path / "ens.toml")
