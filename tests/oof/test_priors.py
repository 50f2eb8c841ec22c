from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ensemble.composition.hue_prior import HuePrior, gray_statistics, share_extremes
from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.oof.priors import Priors, read_priors, write_priors
from ensemble.vocabulary import FULL

RNG = np.random.default_rng(0)
GRAYS = RNG.integers(0, 256, (6, 24, 24), dtype=np.uint8)


def prior(seed: int) -> HuePrior:
    histograms = np.random.default_rng(seed).random((6, 180))
    return HuePrior.fit(
        statistics=[np.stack([gray_statistics(gray) for gray in GRAYS])], histograms=histograms
    )


PRIORS = Priors({0: prior(0), 3: prior(3), FULL: prior(9)})


def test_priors_are_read_back_as_written(tmp_path):
    write_priors(tmp_path / "priors.safetensors", PRIORS)
    found = Priors(read_priors(tmp_path / "priors.safetensors"))
    assert set(found.of_folds) == {0, 3, FULL}
    assert found.digest() == PRIORS.digest()
    for fold in PRIORS.of_folds:
        assert np.array_equal(found.predict(fold, GRAYS[0]), PRIORS.predict(fold, GRAYS[0]))


def test_the_digest_tells_priors_and_folds_apart():
    one, other, _ = PRIORS.of_folds.values()
    digests = {
        PRIORS.digest(),
        Priors({0: one}).digest(),
        Priors({0: other, 3: one}).digest(),
        Priors().digest(),
    }
    assert len(digests) == 4


def test_a_file_without_the_prior_of_all_photographs_is_refused(tmp_path):
    write_priors(tmp_path / "priors.safetensors", Priors({0: prior(0)}))
    with pytest.raises(StaleArtefactError, match="none is of all photographs.* run `ens blend`"):
        read_priors(tmp_path / "priors.safetensors")


def test_what_an_encoder_tells_stands_beside_the_grays_own_statistics():
    def encoder(name, digest):
        return SimpleNamespace(
            name=name, digest=digest, describe=lambda g: (g[0] / 9.0, g[1] / 7.0)
        )

    seen = encoder("net", "one")
    kinds = [np.stack(kind) for kind in zip(*map(Priors({}, seen).describe, GRAYS), strict=True)]
    fitted = HuePrior.fit(statistics=kinds, histograms=RNG.random((6, 180)))
    priors, gray = Priors({0: fitted}, seen), GRAYS[2]
    told = [gray_statistics(gray), gray[0] / 9.0, gray[1] / 7.0]
    due = fitted.predict(told, share_extremes(gray))
    assert np.array_equal(priors.predict(0, gray), due)
    others = [encoder("net", "two"), encoder("other", "one"), None]
    assert len({priors.digest(), *(Priors({0: fitted}, one).digest() for one in others)}) == 4


def test_none_are_there(tmp_path):
    with pytest.raises(MissingArtefactError, match="run `ens blend` again"):
        read_priors(tmp_path / "priors.safetensors")


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "priors.safetensors"
    write_priors(path, PRIORS)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(StaleArtefactError, match="holds no hue priors"):
        read_priors(path)
