from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from ensemble.errors import ConfigError, WeightsError
from ensemble.networks.colorizers import released
from ensemble.networks.colorizers.released import (
    RELEASES,
    Release,
    cached_weights,
    find_weights,
    install_weights,
    load_released,
)


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(released, "HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return tmp_path / "cache" / "checkpoints"


@pytest.fixture
def genuine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a small release that stands for eccv16's, as a user might have it."""
    (tmp_path / "host").mkdir()
    torch.save(small().state_dict(), tmp_path / "host" / "new.pth")
    digest = hashlib.sha256((tmp_path / "host" / "new.pth").read_bytes()).hexdigest()
    file = (tmp_path / "host" / "new.pth").rename(tmp_path / "host" / f"small-{digest[:8]}.pth")
    monkeypatch.setattr(released, "RELEASES", {"eccv16": Release(file.name, small)})
    return file


@pytest.fixture
def host(genuine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handler = partial(Quiet, directory=genuine.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setattr(released, "HOST", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()


def test_the_released_files() -> None:
    files = {name: (release.file, release.sha256_start) for name, release in RELEASES.items()}
    assert files == {
        "eccv16": ("colorization_release_v2-9b330a0b.pth", "9b330a0b"),
        "siggraph17": ("siggraph17-df00044c.pth", "df00044c"),
    }


@pytest.mark.parametrize("name", ["eccv16", "siggraph17"])
def test_offline_it_fails_within_a_second_or_so(name: str, cache: Path) -> None:
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        load_released(name)
    assert time.monotonic() - start < 2
    for part in (f"weights of {name} cannot be", "does not answer", "`--weights ", str(cache)):
        assert part in str(caught.value)
    assert not cache.exists()


@pytest.mark.usefixtures("host")
def test_a_random_state_dict_makes_the_round_trip(genuine: Path) -> None:
    network = load_released("eccv16")
    assert not network.training
    state = torch.load(genuine, weights_only=True)
    for key, value in network.state_dict().items():
        assert torch.equal(value, state[key])


@pytest.mark.parametrize("name", ["eccv16", "siggraph17"])
def test_the_real_networks_make_the_round_trip(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in RELEASES[name].network().state_dict().items()}
    state = {  # one number stands for a whole tensor, so the file is small
        key: torch.tensor(0.5 + index).expand(shape)
        for index, (key, shape) in enumerate(shapes.items())
    }
    torch.save(state, tmp_path / "w.pth")
    monkeypatch.setattr(released, "find_weights", lambda _: tmp_path / "w.pth")
    network = load_released(name)
    for index, (key, filled) in enumerate(network.state_dict().items()):
        expected = index if key.endswith("num_batches_tracked") else 0.5 + index
        assert (filled == expected).all(), key


def test_a_state_from_before_batch_counters_fits(
    genuine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = torch.load(genuine, weights_only=True)
    del state["1.num_batches_tracked"]
    torch.save(state, genuine)
    monkeypatch.setattr(released, "find_weights", lambda _: genuine)
    assert load_released("eccv16").state_dict()["1.num_batches_tracked"] == 0


def test_a_wrong_hash_is_refused_before_reading(
    genuine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = install_weights("eccv16", genuine)
    place.write_bytes(place.read_bytes() + b"x")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was read"))
    expected = genuine.stem.removeprefix("small-")
    with pytest.raises(WeightsError, match=f"must begin with {expected}, but that of .* begins"):
        load_released("eccv16")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"nowhere\.pth`, given as the weights of eccv16, is not"
    ):
        install_weights("eccv16", tmp_path / "nowhere.pth")


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("harm"),)


def test_no_code_in_a_file_is_run(
    genuine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"0.weight": Harmful()}, genuine)
    monkeypatch.setattr(released, "find_weights", lambda _: genuine)
    with pytest.raises(WeightsError, match="holds no state dict that is safe to load"):
        load_released("eccv16")
    assert not Path("harm").exists()


def test_other_weights_are_named_by_key(genuine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(nn.Conv2d(1, 2, 3).state_dict(), genuine)
    monkeypatch.setattr(released, "find_weights", lambda _: genuine)
    with pytest.raises(
        WeightsError, match=r"another network.*missing: `0\.bias`.*unexpected: `bias`"
    ):
        load_released("eccv16")


@pytest.mark.usefixtures("host")
def test_weights_are_downloaded_once(cache: Path, genuine: Path) -> None:
    place = find_weights("eccv16")
    assert place == cache / genuine.name == cached_weights("eccv16")
    assert place.read_bytes() == genuine.read_bytes()
    genuine.unlink()  # from the host
    assert not load_released("eccv16").training


@pytest.mark.usefixtures("host")
def test_a_download_that_is_not_genuine_leaves_nothing(cache: Path, genuine: Path) -> None:
    expected = genuine.stem.removeprefix("small-")
    genuine.write_bytes(genuine.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=f'invalid hash value .expected "{expected}".*--weights'):
        find_weights("eccv16")
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("host")
def test_a_failed_download_leaves_nothing(cache: Path, genuine: Path, monkeypatch) -> None:
    genuine.unlink()
    with pytest.raises(WeightsError, match=r"of eccv16 cannot be downloaded from .*404.*--weights"):
        find_weights("eccv16")
    assert list(cache.iterdir()) == []


def test_a_download_that_stalls_is_given_up(cache: Path, genuine: Path, monkeypatch) -> None:
    monkeypatch.setattr(released, "STALL_S", 0.2)
    monkeypatch.setattr(released, "answers", lambda *_, **__: True)
    with socket.socket() as stalled:
        stalled.bind(("127.0.0.1", 0))
        stalled.listen()
        monkeypatch.setattr(released, "HOST", f"http://127.0.0.1:{stalled.getsockname()[1]}")
        with pytest.raises(WeightsError, match="timed out"):
            find_weights("eccv16")
    assert list(cache.iterdir()) == []
    assert socket.getdefaulttimeout() is None


def test_damage_in_the_cache_is_found(cache: Path, genuine: Path) -> None:
    place = install_weights("eccv16", genuine)
    assert place == cache / genuine.name
    place.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="must begin with"):
        load_released("eccv16")


def test_only_genuine_files_are_installed(cache: Path, genuine: Path) -> None:
    genuine.write_bytes(b"other")
    with pytest.raises(WeightsError, match="must begin with"):
        install_weights("eccv16", genuine)
    assert not cache.exists()


def test_an_unknown_colorizer() -> None:
    with pytest.raises(ConfigError, match=r"`eccv17` is no released colorizer; .*first: `eccv16`"):
        load_released("eccv17")
