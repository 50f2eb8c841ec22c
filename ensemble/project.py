"""Everything a command works on, opened once: the data, the folds, the settings, the members.

Opening a project needs no torch, so that commands which only look at it start quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ensemble.config import Config, load_config
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import read_folds
from ensemble.data.photographs import Photographs
from ensemble.errors import ConfigError, MissingArtefactError, StaleArtefactError, unknown_name
from ensemble.folds.sample import sample_groups
from ensemble.folds.split import Folds
from ensemble.members import Member, configured_members
from ensemble.vocabulary import FULL, STAGES, Fold, Stage
from ensemble.workspace import Workspace


def open_project(root: Path | str) -> Project:
    """Open the workspace in a folder: its `ens.toml`, data and `folds.csv`.

    Raises:
        ConfigError: `ens.toml` breaks a rule.
        DataError: The data is not as due.
        MissingArtefactError: `folds.csv` is not there yet.
        StaleArtefactError: It was made for other photographs.

    >>> open_project("nowhere")
    Traceback (most recent call last):
    ensemble.errors.MissingArtefactError: `nowhere/folds.csv` is not there; run `ens folds`
    """
    workspace = Workspace(Path(root))
    return Project.open(workspace, load_config(workspace.config_file))


def open_photographs(
    workspace: Workspace, config: Config, competition: Competition | None = None
) -> Photographs:
    """Open a workspace's photographs, which need no folds; see `Competition.load` for errors."""
    if competition is None:
        competition = Competition.load(workspace.data, size=config.data.size, seed=config.seed)
    keep = config.training.cache
    return Photographs(competition, workspace.cache / "photographs", keep_pixels=keep)


@dataclass(frozen=True)
class Project:
    """A workspace with its settings, its data and folds, which are known to belong together."""

    workspace: Workspace
    config: Config
    competition: Competition
    folds: Folds

    @classmethod
    def open(cls, workspace: Workspace, config: Config) -> Project:
        """Open the data and `folds.csv`; see `open_project` for what may be wrong with them."""
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

    @cached_property
    def photographs(self) -> Photographs:
        """The photographs, decoded once; under `cache = false`, at each use."""
        return open_photographs(self.workspace, self.config, self.competition)

    def training_ids(self, fold: Fold) -> tuple[str, ...]:
        """The photographs that the networks of a fold learn from, sorted; all of them for FULL."""
        if fold == FULL:
            return tuple(sorted(self.competition.train_ids))
        return self.folds.training(fold)

    def oof_sample(self, fold: int) -> tuple[str, ...]:
        """The photographs of a fold that are predicted out of fold, as `[oof] photographs` says."""
        return tuple(i for i in self.folds.validation(fold) if i in self._sampled)

    @cached_property
    def _sampled(self) -> frozenset[str]:
        count, folds = self.config.oof.photographs, self.folds
        return frozenset(
            sample_groups(folds.fold_of, folds.group_of, count=count, seed=self.config.seed)
        )

    def members(self, stage: Stage) -> tuple[Member, ...]:
        """The members of a stage that `ens.toml` names.

        Raises:
            ConfigError: A name is unknown or given twice.
        """
        return tuple(self._by_name(stage).values())

    def _by_name(self, stage: Stage) -> dict[str, Member]:
        if stage not in self._members:
            found = configured_members(self.config, stage)
            self._members[stage] = {member.name: member for member in found}
        return self._members[stage]

    @cached_property
    def _members(self) -> dict[Stage, dict[str, Member]]:
        return {}

    def all_members(self) -> tuple[Member, ...]:
        """The members of both stages, restoration first."""
        return tuple(member for stage in STAGES for member in self.members(stage))

    def member(self, stage: Stage, name: str) -> Member:
        """One member of a stage.

        Raises:
            ConfigError: `ens.toml` names no such member; the valid ones are listed.
        """
        found = self._by_name(stage)
        if name not in found:
            raise ConfigError(unknown_name(f"member of {stage} in ens.toml", name, found))
        return found[name]

    def select_members(self, stage: str | None, name: str | None) -> list[Member]:
        """The members whose predictions `ens` makes itself: trained or fixed ones.

        They are of the stage and have the name, if these are given; two stages may each have one.

        Raises:
            ConfigError: There is no such member; the valid ones are listed.
        """
        members = [
            member
            for member in self.all_members()
            if stage in (None, member.stage) and member.kind != "external"
        ]
        found = [member for member in members if name in (None, member.name)]
        if not found:
            what = f"{stage} member" if stage else "member"
            names = [member.name for member in members]
            raise ConfigError(unknown_name(f"{what} to train or collect", name or "", names))
        return found

    def folder(self, member: Member, fold: Fold) -> Path:
        """Where the training of a member for a fold, or for FULL, lies."""
        return self.workspace.checkpoint_dir(member.stage, member.name, fold)

    def archive_folder(self, member: Member, fold: int) -> Path:
        """Where a member's predictions for the photographs of a fold lie."""
        return self.workspace.oof_dir(member.stage, member.name, fold)

    def test_archive_folder(self, member: Member) -> Path:
        """Where an external member's predictions for the test photographs lie."""
        return self.workspace.external_test_dir(member.stage, member.name)
