"""The training loop: `Trainer.train` yields after every step, so that a caller may stop anywhere,
save, and go on later to bitwise the same weights."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainable.config import TrainConfig
from trainable.data.run_data import RunData
from trainable.data.token_files import check_data
from trainable.errors import CheckpointError
from trainable.loop.device import resolve_dtype
from trainable.loop.evaluation import mean_loss
from trainable.loop.memory import available_memory, is_out_of_memory, require_room, too_large
from trainable.loop.metrics import Metrics, bits_per_byte, perplexity
from trainable.loop.processes import Processes, Task
from trainable.loop.signals import WATCHED_WINDOWS, UpdateSize, largest_values
from trainable.loop.statistics import Statistics
from trainable.model.attention import within_documents
from trainable.model.compilation import CompiledBlocks
from trainable.model.loss import next_token_loss
from trainable.model.transformer import LanguageModel
from trainable.optimisation.averaging import WeightAverage
from trainable.optimisation.optimizer import (
    build_muon,
    build_optimizer,
    clipped_step,
    restore_optimizer,
)
from trainable.optimisation.schedule import learning_rate_at
from trainable.weights.checkpoint import Checkpoint, read_to_go_on, write_checkpoint
from trainable.weights.pretrained import read_weights


class Trainer:
    """A training run: a model, its optimiser, its data, and the steps done so far.

    Args:
        resume_from: a checkpoint to go on from; `config` may differ from the one it was written
            with in all that does not shape the model.
        num_threads: CPU threads of this process; None leaves torch's choice.
        micro_batch_size: sequences in one forward and backward pass; None: the whole batch.
        processes: those that share the run; None: this one alone has it.

    Raises:
        UserError: the config, the data, the device or the checkpoint cannot be used.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        resume_from: Path | None = None,
        num_threads: int | None = None,
        micro_batch_size: int | None = None,
        processes: Processes | None = None,
    ) -> None:
        check_data(config)
        self.processes = processes or Processes()
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        self.config = config
        self.step = 0
        self.train_seconds = 0.0
        self.micro_batch_size = micro_batch_size or config.batch_size
        rows = self.processes.rows(config)
        self.device = self.processes.device(config.device)
        self.dtype = resolve_dtype(config, self.device)
        require_room(config, str(self.device), self._free_memory())
        self.model = LanguageModel(config).to(self.device)
        self.optimizer = build_optimizer(self.model, config)
        self.muon = build_muon(self.model, config)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.statistics = Statistics(self.device)
        averaged = config.averaged_steps
        self.average = WeightAverage(self.model, averaged) if averaged is not None else None
        blocks = self.model.model.blocks
        self._blocks = CompiledBlocks(blocks) if config.compile else blocks
        self.data = RunData(config, self.device, rows)
        self.end_of_text = self.data.end_of_text
        if resume_from is not None:
            self._resume(resume_from, micro_batch_size)
        elif config.init_from is not None:
            self.model.load_state_dict(read_weights(Path(config.init_from), config))
        self._update_ratio: Tensor | None = None
        if self.processes.size > 1:  # an evaluation takes no more at once than a step has tried
            self.micro_batch_size = min(self.micro_batch_size, rows.stop - rows.start)
        self.processes.meet(self.device)
        self.processes.agree(config, self.step)

    def _free_memory(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0]
        return available_memory() // self.processes.local_size

    @property
    def separator(self) -> int | None:
        """The token after each document, where these are kept apart."""
        return self.end_of_text if self.config.separate_documents else None

    @property
    def num_params(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def tokens(self) -> int:
        """Training tokens seen so far."""
        return self.step * self.config.batch_size * self.config.context_length

    def train(self) -> Iterator[Metrics | None]:
        """Run to `max_steps`, yielding after every step: metrics when they are due, else None.

        They come every `log_every_steps`; with validation every `eval_every_steps` and at the
        last step; and when the run has diverged, after which there is nothing more.
        """
        config = self.config
        interval_seconds, interval_steps = 0.0, 0
        while self.step < config.max_steps:
            started = time.perf_counter()
            step = self.step + 1
            evaluate = step % config.eval_every_steps == 0 or step == config.max_steps
            due = evaluate or step % config.log_every_steps == 0
            self._take_step(measured=due)
            interval_steps += 1
            # Asking a GPU makes it wait, so there divergence shows at the next metrics.
            diverged = (due or self.device.type == "cpu") and self._diverged()
            metrics = None
            if due or diverged:
                train_loss = self.statistics.take_mean_loss()  # waits for the device
                interval_seconds += time.perf_counter() - started
                validation = self.validate() if evaluate and not diverged else {}
                self.train_seconds += time.perf_counter() - started
                tokens = interval_steps * config.batch_size * config.context_length
                metrics = self._metrics(train_loss, validation, tokens / interval_seconds, diverged)
                interval_seconds, interval_steps = 0.0, 0
            else:
                elapsed = time.perf_counter() - started
                interval_seconds += elapsed
                self.train_seconds += elapsed
            yield metrics
            if diverged:
                return

    def _take_step(self, *, measured: bool) -> None:
        """One optimiser step on the windows of step number `self.step + 1`."""
        config = self.config
        self.processes.tell(Task.STEP)
        windows = self.data.batches.take(self.step + 1)
        loss = self._gradients_that_fit(windows.to(self.device, non_blocking=True))
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        self.processes.add_up([*gradients, loss])
        self.scaler.unscale_(self.optimizer)
        if self.muon is not None:
            self.scaler.unscale_(self.muon)
        grad_norm = torch.nn.utils.get_total_norm(gradients)
        finite = torch.isfinite(grad_norm) & torch.isfinite(loss)
        update = UpdateSize(self.model.parameters()) if measured else None
        clipped_step(
            self.optimizer,
            self.muon,
            learning_rate=learning_rate_at(config, self.step + 1),
            grad_clip=config.grad_clip,
            grad_norm=grad_norm,
            finite=finite,
        )
        self._update_ratio = update.ratio() if update is not None else None
        self.scaler.update()
        self.model.zero_grad(set_to_none=True)
        self.statistics.add(loss, grad_norm, finite)
        self.step += 1
        if self.average is not None:
            self.average.add(self.step)

    def _gradients_that_fit(self, windows: Tensor) -> Tensor:
        """`_accumulate_gradients` with a micro batch halved until it fits into memory."""
        while True:
            try:
                return self._accumulate_gradients(windows)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.micro_batch_size == 1:
                    device = str(self.device)
                    raise too_large(self.config, device, "there is no memory left") from error
            # Outside the handler: the exception's traceback keeps the tensors of the step alive.
            self.model.zero_grad(set_to_none=True)
            self.micro_batch_size //= 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _accumulate_gradients(self, windows: Tensor) -> Tensor:
        """Leave these windows' part of the gradients of the batch's mean loss in the parameters;
        their part of that loss."""
        total = torch.zeros((), device=windows.device)
        for rows in torch.split(windows, self.micro_batch_size):
            loss = self._loss(rows) * (len(rows) / self.config.batch_size)
            torch.autograd.backward(self.scaler.scale(loss))
            total += loss.detach()
        return total

    def _loss(self, windows: Tensor) -> Tensor:
        """Mean loss over windows (rows, context_length + 1), in nats a token."""
        tokens, separator = windows[:, :-1], self.separator
        seen = None if separator is None else within_documents(tokens, separator)
        hidden = self._blocks(self.model.embed(tokens, self.dtype), seen=seen)
        return next_token_loss(hidden, self.model.output_weight, windows[:, 1:], self.config.z_loss)

    def evaluate(self, named: str = "val_loss") -> float:
        """Mean loss over the `eval_windows` fixed windows of a validation set, in nats a token.

        Args:
            named: as `validation_files` does.
        """
        self.micro_batch_size = self.processes.least(self.micro_batch_size)
        return mean_loss(
            lambda windows: self._loss(windows.to(self.device)),
            self.data.val_windows[named],
            at_once=self.micro_batch_size,
            processes=self.processes,
        )

    def _losses(self) -> dict[str, float]:
        """Of each validation set, and of the averaged weights."""
        losses = {name: self.evaluate(name) for name in self.data.val_windows}
        if self.average is not None:
            with self.average.in_place():
                losses["val_loss_ema"] = self.evaluate()
        return losses

    def follow(self) -> None:
        """Take part in what the process that leads does, until that ends."""
        while (task := self.processes.told()) is not Task.END:
            if task is Task.STEP:
                self._take_step(measured=False)
            else:
                self._losses()

    def validate(self) -> dict[str, Any]:
        """What an evaluation measures, by the names of the metrics."""
        self.processes.tell(Task.EVALUATION)
        losses = self._losses()
        val_loss, ema_loss = losses.pop("val_loss"), losses.pop("val_loss_ema", None)
        windows = self.data.val_windows["val_loss"][:WATCHED_WINDOWS].to(self.device)
        max_activation, max_logit = largest_values(
            self.model, windows, self.dtype, at_once=self.micro_batch_size, separator=self.separator
        )
        known = self.data.bytes_per_token
        return {
            "val_loss": val_loss,
            "val_perplexity": perplexity(val_loss),
            "val_bits_per_byte": None if known is None else bits_per_byte(val_loss, known),
            "val_loss_ema": ema_loss,
            "max_activation": max_activation,
            "max_logit": max_logit,
            "others": losses,
        }

    def _diverged(self) -> bool:
        """Whether too many steps in a row were skipped."""
        return int(self.statistics.longest_row) >= self.config.max_skipped_steps

    def _metrics(
        self,
        train_loss: float,
        validation: dict[str, Any],
        tokens_per_second: float,
        diverged: bool,
    ) -> Metrics:
        return Metrics(
            step=self.step,
            tokens=self.tokens,
            train_loss=train_loss,
            learning_rate=learning_rate_at(self.config, self.step),
            grad_norm=float(self.statistics.grad_norm),
            update_ratio=None if self._update_ratio is None else float(self._update_ratio),
            tokens_per_second=tokens_per_second,
            train_seconds=self.train_seconds,
            skipped_steps=int(self.statistics.skipped),
            diverged=diverged,
            **validation,
        )

    def close(self) -> None:
        """Let the other processes of the run end."""
        self.processes.close()

    def save(self, path: Path) -> None:
        """Write a checkpoint of the state after `self.step` steps, atomically.

        Raises:
            CheckpointError: it could not be written, or the weights are not finite.
        """
        weights = self.model.state_dict()
        if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
            raise CheckpointError(f"{path}: not written: the weights are not finite")
        checkpoint = Checkpoint(
            config=self.config,
            step=self.step,
            model=weights,
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            statistics=self.statistics.state_dict(),
            train_seconds=self.train_seconds,
            micro_batch_size=self.micro_batch_size,
            end_of_text=self.end_of_text,
            muon={} if self.muon is None else self.muon.state_dict(),
            average={} if self.average is None else self.average.state_dict(),
        )
        write_checkpoint(path, checkpoint)

    def _resume(self, path: Path, micro_batch_size: int | None) -> None:
        saved = read_to_go_on(path, self.config)
        self.model.load_state_dict(saved.model)
        if self.average is not None:  # of a run that had none it begins at the weights
            self.average.load_state_dict(saved.average or saved.model)
        try:
            restore_optimizer(self.optimizer, saved.optimizer)
            if self.muon is not None:
                restore_optimizer(self.muon, saved.muon)
            if saved.scaler:  # empty where the run before did not scale its loss
                self.scaler.load_state_dict(saved.scaler)
            self.statistics.load_state_dict(saved.statistics)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            raise CheckpointError(
                f"{path}: damaged: its state does not fit ({type(error).__name__}: {reason})"
            ) from None
        self.step = saved.step
        self.train_seconds = saved.train_seconds
        # What had to be split before would have to be again; and the sums stay bitwise the same.
        self.micro_batch_size = micro_batch_size or saved.micro_batch_size
        if self.end_of_text is None:  # the data may have lost the file that says it
            self.end_of_text = saved.end_of_text
