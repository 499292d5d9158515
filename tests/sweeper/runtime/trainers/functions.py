"""Functions that train, as people have them."""

import json
from collections.abc import Iterator
from typing import Any


def generator(trial: Any) -> Iterator[dict[str, float]]:
    state = {"step": 0, "weight": 5.0}
    if trial.resume_from is not None:
        state = json.loads(trial.checkpoint.read_text())
    while state["step"] < trial.settings["max_steps"]:
        state["step"] += 1
        state["weight"] *= 1 - trial.settings["learning_rate"]
        if state["step"] % 10 == 0:
            yield {"step": state["step"], "val_loss": state["weight"] ** 2}
        if trial.should_stop(state["step"]):
            trial.checkpoint.write_text(json.dumps(state))
            return


def call(trial: Any) -> None:
    for row in generator(trial):
        trial.report(row["step"], val_loss=row["val_loss"])


def hugging_face(trial: Any) -> None:
    import torch
    from sweeper_hook import hugging_face  # type: ignore[import-not-found]
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed

    set_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = LlamaConfig(vocab_size=32, num_attention_heads=2, num_key_value_heads=2, **size)
    text = torch.arange(64 * 9).reshape(64, 9) * 7 % 32
    rows = [{"input_ids": row, "labels": row} for row in text]
    trainer = Trainer(
        LlamaForCausalLM(config),
        TrainingArguments(
            output_dir=trial.folder,
            learning_rate=trial.settings["learning_rate"],
            max_steps=trial.settings["max_steps"],
            per_device_train_batch_size=4,
            eval_strategy="steps",
            eval_steps=10,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=rows,
        eval_dataset=rows[:16],
        callbacks=[hugging_face()],
    )
    trainer.train(resume_from_checkpoint=trial.resume_from)


def lightning(trial: Any) -> None:
    import torch
    from lightning.pytorch import LightningModule, Trainer, seed_everything
    from sweeper_hook import lightning

    class Line(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: Any, number: int) -> Any:
            return ((self.layer(batch) - batch.sum(1, keepdim=True)) ** 2).mean()

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", self.training_step(batch, number))

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=trial.settings["learning_rate"])

    seed_everything(0)
    rows = torch.randn(40, 4)  # an epoch is 10 steps, at whose ends Lightning resumes exactly
    trainer = Trainer(
        max_steps=trial.settings["max_steps"],
        val_check_interval=10,
        default_root_dir=trial.folder,
        callbacks=[lightning()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        logger=False,
        accelerator="cpu",
    )
    loader = torch.utils.data.DataLoader(rows, batch_size=4)
    trainer.fit(Line(), loader, torch.utils.data.DataLoader(rows[:16]), ckpt_path=trial.resume_from)
