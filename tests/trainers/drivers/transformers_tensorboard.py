"""Hugging Face's Trainer with report_to="tensorboard": `eval_loss` is the tag `eval/loss`."""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

from truth import Truth

truth = Truth("transformers")
set_seed(0)
tokens = torch.randint(0, 50, (160, 12))
data = [{"input_ids": row, "labels": (row.sum() % 2)} for row in tokens]
model = BertForSequenceClassification(BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                                 intermediate_size=16, max_position_embeddings=16))
arguments = TrainingArguments(output_dir=str(truth.dir / "out"), num_train_epochs=3, per_device_train_batch_size=16,
                              logging_steps=4, eval_strategy="epoch", save_strategy="no", disable_tqdm=True,
                              learning_rate=1e-3, report_to="tensorboard", use_cpu=True, seed=0)
trainer = Trainer(model, arguments, train_dataset=data[:128], eval_dataset=data[128:])
trainer.train()
curves, by_epoch = {}, {}
for entry in trainer.state.log_history:
    for name, value in entry.items():
        if name in ("loss", "grad_norm", "learning_rate"):
            curves.setdefault(f"train/{name}", []).append((entry["step"], value))
            by_epoch.setdefault(f"train/{name}", []).append((entry["epoch"], value))
        elif name == "eval_loss":
            curves.setdefault("eval/loss", []).append((entry["step"], value))
            by_epoch.setdefault("eval/loss", []).append((entry["epoch"], value))
truth.source("out/**/events.out.tfevents.*", "step", curves, digits="float32", optional=["train/train_loss", "train/epoch"])
# The console says the same under names of its own, and counts epochs too.
truth.result(axis="epoch", digits="float32", curves=by_epoch, optional=["loss", "grad_norm", "learning_rate"])
truth.write()
