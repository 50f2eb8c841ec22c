"""Everything a command works on, opened once: the data, the folds, the settings, the members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ensemble.composition.recipe import Stage
from ensemble.config import Config
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import read_folds
from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.folds.split import Folds
from ensemble.networks.checkpoint import checkpoint_digests
from ensemble.networks.member import Member
from ensemble.networks.zoo import resolve
from ensemble.workspace import Workspace


@dataclass(frozen=True)
class Project:
    """A workspace with its data and folds, which are known to belong together.

    Attributes:
        workspace: Where artefacts live.
        config: The settings.
        competition: The data.
        folds: Which fold validates which photograph.
    """

    workspace: Workspace
    config: Config
    competition: Competition
    folds: Folds

    @classmethod
    def open(cls, workspace: Workspace, config: Config) -> Project:
        """Open the data and `folds.csv`.

        Raises:
            DataError: The data is not as due.
            MissingArtefactError: `folds.csv` is not there yet.
            StaleArtefactError: It was made for other photographs.
        """
        if not workspace.folds_file.exists():
            raise MissingArtefactError(f"`{workspace.folds_file}` is not there; run `ens folds`")
        folds = read_folds(workspace.folds_file)
        competition = Competition.load(workspace.data, size=config.data.size, seed=config.seed)
        differing = set(folds.image_ids) ^ set(competition.train_ids)
        if differing:
            raise StaleArtefactError(
                f"`{workspace.folds_file}` must list exactly the training photographs, but "
                f"{len(differing)} of them are in one only, `{min(differing)}` among them; "
                "run `ens folds` again"
            )
        return cls(workspace, config, competition, folds)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the data and of the folds, as every manifest carries them."""
        return {"data": self.competition.digest(), "folds": self.folds.digest()}

    def members(self, stage: Stage) -> tuple[Member, ...]:
        """The members of a stage that `ens.toml` names."""
        mode = self.config.restoration.input_mode if stage == "restoration" else None
        names = getattr(self.config, stage).members
        return resolve(stage, names, custom=self.config.member, input_mode=mode)

    def checkpoint_digests(self, member: Member) -> dict[str, str]:
        """What a finished training of `member` must have been made from."""
        return checkpoint_digests(self.config, member, **self.digests)
