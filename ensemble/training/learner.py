"""The LightningModule: a network, its task, its moving average, and how far the training is."""

from __future__ import annotations

import copy
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from torch import Tensor, nn

from ensemble.config import TrainingSection
from ensemble.errors import TrainingError
from ensemble.networks.device import Forward
from ensemble.parallel import count_cores
from ensemble.training.batches import Batch, ValidationBatch
from ensemble.training.parts import loss_in_parts
from ensemble.training.progress import Position, rate_factor, step_seed
from ensemble.training.state import mark_position
from ensemble.training.tasks.task import Task

PICTURES = 8
"""Validation photographs that TensorBoard shows after each epoch, always the same."""

PICTURE_SIDE = 128
"""Their side there, in pixels: at 512 the logs of a queue of trainings would take 20 GB."""


class Learner(LightningModule):
    """Learns a task; validates the weights that would be kept."""

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        settings: TrainingSection,
        *,
        position: Position,  # how far the training is; moved by `Checkpointing`
        batches: int,  # steps an epoch
        seed: int,  # of what the network draws, such as dropout
        parts: int = 1,  # in how many parts a batch is learned from; see `ensemble.training.parts`
        command: str = "ens train",  # what to type to train it
    ) -> None:
        super().__init__()
        # Channels last took 0.93 and 0.82 of the time of channels first for a step on a CPU core.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # the moving average of the network; None without `ema_decay`
        self.average: nn.Module | None = None
        if settings.ema_decay:
            self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.task = task
        self.settings = settings
        self.position = position
        self.batches = batches
        self.seed = seed
        self.parts = parts
        self.command = command
        # whether all that a checkpoint holds has been restored, and learning goes on
        self.began = False
        self._forward = Forward(lambda shown: self.kept(shown))
        self._finite: Tensor | None = None
        self._scores: list[Future[dict[str, float]]] = []
        self._pool: ThreadPoolExecutor | None = None
        self._pictures: dict[str, NDArray[np.uint8]] = {}

    @property
    def kept(self) -> nn.Module:
        """The network that is validated and kept: the moving average where there is one."""
        return self.network if self.average is None else self.average

    def on_train_start(self) -> None:
        """Note that nothing is left to be restored."""
        self.began = True

    def setup(self, stage: str) -> None:
        """Compile if asked to."""
        if self.settings.compile:
            self.network.compile()

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Leave validation batches on the host: the task takes what the network is shown."""
        if isinstance(batch, ValidationBatch):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note the position; see `ensemble.training.state`."""
        mark_position(checkpoint, self.position)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed what the network draws, so that a step depends on its place alone."""
        key = (self.position.epoch, self.position.batch)
        torch.manual_seed(step_seed(self.seed, key, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        example = self.task.example(batch)
        scale = self._loss_scale() if self.parts > 1 else 1.0
        done = (self.position.epoch + self.position.batch / self.batches) / self.settings.epochs
        loss = loss_in_parts(
            self.task, self.network, example, done=done, parts=self.parts, scale=scale
        )
        finite = torch.isfinite(loss.detach())
        self._finite = finite if self._finite is None else self._finite & finite
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.target))
        return loss

    def _loss_scale(self) -> float:
        """What fp16's gradient scaler multiplies a loss by; 1 in other precisions."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return 1.0 if scaler is None else float(scaler.get_scale())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Change the weights, then the average."""
        super().optimizer_step(*args, **kwargs)
        self.position.updates += 1
        if self.average is not None:
            # At first the decay is less, so that the random start is forgotten.
            updates = self.position.updates
            decay = min(self.settings.ema_decay, (1 + updates) / (10 + updates))
            update_average(self.average, self.network, decay)

    def require_finite(self) -> None:
        """Wait for the device, and stop a training whose loss or weights are not finite any more.

        Called before each validation and each checkpoint, and now and then: nothing that is not
        finite is ever validated or written.

        Raises:
            TrainingError: A loss since the last call, or a weight to be kept, is not finite.
        """
        loss_finite = self._finite is None or bool(self._finite)
        self._finite = None
        if loss_finite and all(map(all_finite, {self.network, self.kept})):
            return
        what = "the weights" if loss_finite else "the loss"
        raise TrainingError(
            f"{what} must be finite, but became NaN or infinite by batch {self.position.batch} of "
            f"epoch {self.position.epoch + 1}; the last checkpoint is from before that and intact; "
            'lower `learning_rate`, set `clip_norm = 1.0`, or set `precision = "float32"` in its '
            f"[[member]] table or under [training], then run `{self.command} --restart`"
        )

    def on_validation_epoch_start(self) -> None:
        """Make sure that what is to be validated is finite."""
        self.require_finite()
        self._pool = ThreadPoolExecutor(count_cores())

    def validation_step(self, batch: ValidationBatch, batch_idx: int) -> None:
        """Predict; threads score the predictions on the host meanwhile."""
        assert self._pool is not None
        output = self._forward(self.task.validation_input(batch, self.device))
        for row, prediction in enumerate(self.task.predictions(output)):
            case = batch.case(row)
            self._scores.append(self._pool.submit(self.task.score, prediction, case))
            if len(self._pictures) < PICTURES and prediction.ndim > 1:  # no histogram
                pictures = case.sample.damaged, prediction, case.sample.target
                self._pictures[case.sample.image_id] = draw_strip(*pictures)

    def on_validation_epoch_end(self) -> None:
        """Log the mean of each term over the fold."""
        assert self._pool is not None
        terms = [future.result() for future in self._scores]
        self._scores = []
        self._pool.shutdown()
        for name, mean in self._means(terms).items():
            self.log(f"val_{name}", mean, prog_bar=name == "score")
        if isinstance(self.logger, TensorBoardLogger) and self.trainer.is_global_zero:
            board, epoch = self.logger.experiment, self.position.epoch + 1
            for image_id, strip in self._pictures.items():
                board.add_image(f"validation/{image_id}", strip, epoch, dataformats="HWC")
        self._pictures = {}

    def _means(self, terms: list[dict[str, float]]) -> dict[str, Tensor]:
        names = self.task.terms
        rows = [[row[name] for name in names] + [1.0] for row in terms]
        sums = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(names) + 1).sum(0)
        if self.trainer.world_size > 1:
            sums = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum").cpu()
        means = (sums[:-1] / sums[-1]).to(torch.float32)
        return dict(zip(names, means, strict=True))

    def configure_optimizers(self) -> Any:
        """AdamW, and a schedule unless the rate is constant.

        It is fused but where gradients are clipped: of a fused one Lightning clips none in mixed
        precision.
        """
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=not settings.clip_norm,
        )
        if settings.schedule == "constant":
            return optimizer
        updates = settings.epochs * -(-self.batches // settings.accumulate)
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda update: rate_factor(settings.schedule, update=update, updates=updates)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def draw_strip(*pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (H, W) or (H, W, 3) side by side, each of `PICTURE_SIDE`: (S, N * S, 3) uint8."""
    size = (PICTURE_SIDE, PICTURE_SIDE)
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    colored = [np.stack([one] * 3, axis=-1) if one.ndim == 2 else one for one in small]
    return np.concatenate(colored, axis=1).astype(np.uint8, copy=False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move an average of a network's parameters and buffers towards the network, in place.

    `decay` is the share of the past; whole numbers are copied.
    """
    mine, theirs = average.state_dict(), network.state_dict()
    floats = [key for key, value in mine.items() if value.is_floating_point()]
    torch._foreach_lerp_([mine[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
    for key in mine.keys() - floats:
        mine[key].copy_(theirs[key])


def all_finite(network: nn.Module) -> bool:
    """Whether every parameter and buffer of a network is finite."""
    values = [value for value in network.state_dict().values() if value.is_floating_point()]
    return bool(torch.isfinite(torch.stack(torch._foreach_norm(values))).all())
