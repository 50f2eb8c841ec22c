"""From the weights of epochs to the weights that predict."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import DataLoader

from ensemble.files import atomic_path
from ensemble.manifest import Manifest, digest_file, digest_sample, read_manifest, write_manifest
from ensemble.networks.weights import fill, save_weights
from ensemble.training.job import JobFiles
from ensemble.training.learner import Learner
from ensemble.training.progress import Scores, best_epoch, out_of_patience
from ensemble.training.resume import Origin


def export(
    files: JobFiles,
    learner: Learner,
    trainer: Trainer,
    loader: DataLoader[Any] | None,
    scores: Scores,
    origin: Origin,
) -> Manifest:
    """Write the weights that predict, then their manifest; return that in every process.

    They are the best epoch's, without validation the last one's; or with `average_last` the mean
    of the last epochs', with which the learner is filled and validated once more.
    """
    best = best_epoch(scores)
    facts: dict[str, Any] = {
        "best_epoch": best + 1,
        "epochs": len(scores),
        "scores": list(scores),
        "settings": dict(origin.settings),
    }
    if loader is not None:
        stopped = out_of_patience(scores, learner.settings.patience)
        facts |= {"val_score": scores[best], "stopped_early": stopped}
    if learner.settings.average_last:
        facts |= _average(files, learner, trainer, loader, len(scores))
    if trainer.is_global_zero:
        _write(files, learner, facts, origin)
    if trainer.world_size > 1 and torch.distributed.is_initialized():
        torch.distributed.barrier()
    return read_manifest(files.manifest, "checkpoint")


def mean_of_states(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The plain mean of the states of one network, by key; whole numbers are the last state's."""
    mean = {}
    for key, last in states[-1].items():
        if last.is_floating_point():
            mean[key] = torch.stack([state[key].double() for state in states]).mean(0).to(last)
        else:
            mean[key] = last.clone()
    return mean


def _average(
    files: JobFiles, learner: Learner, trainer: Trainer, loader: DataLoader[Any] | None, epochs: int
) -> dict[str, Any]:
    """Fill the learner with the mean of the last epochs' weights, and validate them if possible."""
    last = range(max(0, epochs - learner.settings.average_last), epochs)
    states = [load_file(files.epoch_weights(epoch)) for epoch in last]
    fill(learner.kept, mean_of_states(states), source="the mean of the last epochs")
    facts: dict[str, Any] = {"averaged_epochs": [epoch + 1 for epoch in last]}
    if loader is not None:
        (metrics,) = trainer.validate(learner, loader, verbose=False)
        facts["val_score"] = float(metrics["val_score"])
    return facts


def _write(files: JobFiles, learner: Learner, facts: dict[str, Any], origin: Origin) -> None:
    files.manifest.unlink(missing_ok=True)
    if learner.settings.average_last:
        save_weights(files.weights, learner.kept)
    else:
        with atomic_path(files.weights) as temporary:
            shutil.copyfile(files.epoch_weights(facts["best_epoch"] - 1), temporary)
    facts["weights"] = digest_file(files.weights)
    facts["weights_sample"] = digest_sample(files.weights)
    write_manifest(
        files.manifest,
        kind="checkpoint",
        made_from=origin.made_from,
        seed=learner.seed,
        facts=facts,
    )
