"""The same fold's frozen restorers, which show stage 2 in training what it will see in the end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ensemble.config import NormalisationSection
from ensemble.errors import MissingArtefactError
from ensemble.manifest import digest_json
from ensemble.members import Member
from ensemble.networks.build import load_network
from ensemble.project import Project
from ensemble.provenance import read_checkpoint, weights_digest
from ensemble.training import pixels
from ensemble.training.batches import Batch
from ensemble.training.tasks.task import damaged_gray


class Restorers:
    """Restoration networks, frozen, whose plain mean is pasted back.

    Args:
        networks: Each with its member, in evaluation mode.
        normalisation: As they were trained.
    """

    def __init__(
        self, networks: Sequence[tuple[Member, nn.Module]], normalisation: NormalisationSection
    ) -> None:
        self.networks = [(member, net.eval().requires_grad_(False)) for member, net in networks]
        self.normalisation = normalisation

    @property
    def want_prefill(self) -> bool:
        """Whether a network is shown prefilled grays."""
        return any(member.input_mode != "damaged" for member, _ in self.networks)

    def to(self, device: torch.device) -> None:
        """Move the networks."""
        for _, network in self.networks:
            network.to(device)

    @torch.no_grad()
    def restore(self, batch: Batch, gray: Tensor, lost_mask: Tensor) -> Tensor:
        """Restore a damaged batch.

        Args:
            batch: With damage; its own flip is not applied again.
            gray: Its true gray, flipped, (N, H, W) uint8.
            lost_mask: Its holes, flipped, (N, H, W) bool.

        Returns:
            (N, H, W) uint8, the true gray outside the hole.
        """
        total = torch.zeros(gray.shape, device=gray.device)
        for member, network in self.networks:
            prefilled = member.input_mode != "damaged"
            base = damaged_gray(batch, gray, lost_mask, prefilled=prefilled)
            shown = pixels.normalise(base, self.normalisation)  # (N, 1, H, W)
            if member.in_channels == 2:
                shown = torch.cat([shown, lost_mask[:, None].to(shown)], dim=1)
            total += pixels.denormalise(network(shown), self.normalisation)[:, 0]
        return torch.where(lost_mask, pixels.round_to_levels(total / len(self.networks)), gray)


def trained_restorers(project: Project) -> tuple[Member, ...]:
    """The restoration members of the settings that are trained networks."""
    return tuple(m for m in project.members("restoration") if m.kind == "trained")


def load_restorers(project: Project, fold: int) -> Restorers:
    """The trained restorers of a fold.

    Raises:
        MissingArtefactError: One has not finished, or the settings name none that is trained.
        StaleArtefactError: One was trained from something else.
    """
    networks = [
        (member, load_network(project.folder(member, fold), member))
        for member in _checked(project, fold)
    ]
    return Restorers(networks, project.config.normalisation)


def restorers_digest(project: Project, fold: int) -> str:
    """SHA-256 of the restorers' weights, by name; errors as in `load_restorers`."""
    members = _checked(project, fold)
    return digest_json({m.name: weights_digest(project, m, fold) for m in members})


def _checked(project: Project, fold: int) -> tuple[Member, ...]:
    members = trained_restorers(project)
    if not members:
        raise MissingArtefactError(
            f"`train_on = {project.config.colorization.train_on!r}` needs a trained restoration "
            "member, but ens.toml names none; add one under [restoration], or set "
            '`train_on = "clean"` under [colorization]'
        )
    for member in members:
        read_checkpoint(project, member, fold)
    return members
