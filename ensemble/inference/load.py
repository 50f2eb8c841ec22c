"""From a member's name and a fold to what predicts."""

from __future__ import annotations

from ensemble.checkpoint import checked_weights
from ensemble.errors import ConfigError
from ensemble.inference.fixed import fixed_predictor
from ensemble.inference.predictor import Predictor
from ensemble.members import Member
from ensemble.project import Project
from ensemble.vocabulary import Fold


def load_predictor(project: Project, member: Member, fold: Fold) -> Predictor:
    """What predicts for the photographs of one fold, or of FULL, whose checkpoint is read.

    Raises:
        ConfigError: The member is external, so that its predictions can only be imported; or fixed
            and unknown; or of an ONNX file, and onnxruntime is not installed.
        MissingArtefactError: Its training has not finished.
        StaleArtefactError: It was trained from something else than the present data, folds or
            settings.
        WeightsError: Its weights cannot be had, are not whole, or do not fit its adapter.
    """
    if member.kind == "external":
        raise ConfigError(
            f"`{member.name}` was made elsewhere and cannot predict; "
            "give its predictions with `ens oof import`"
        )
    if member.file:
        from ensemble.inference.onnx import onnx_predictor

        return onnx_predictor(member, project.workspace.root / member.file)
    if member.kind == "fixed":
        return fixed_predictor(member)
    # They import torch, which takes seconds that the above need not.
    from ensemble.inference.network import NetworkPredictor
    from ensemble.networks.build import load_network
    from ensemble.networks.device import choose_precision

    weights = checked_weights(project, member, fold)
    precision = project.config.of_member(member.stage, member.name).training.precision
    return NetworkPredictor(
        member,
        load_network(weights, member),
        project.config.normalization,
        batch_size=project.config.inference.batch_size,
        precision=choose_precision(precision),
    )
