"""Hugging Face's Trainer on a tiny random model: dicts on stdout, trainer_state.json, all_results.json."""

import numpy
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
                              logging_steps=4, eval_strategy="epoch", save_strategy="epoch", save_total_limit=2,
                              learning_rate=1e-3, report_to="none", use_cpu=True, seed=0)
trainer = Trainer(model, arguments, train_dataset=data[:128], eval_dataset=data[128:],
                  compute_metrics=lambda given: {"accuracy": float((numpy.argmax(given[0], 1) == given[1]).mean())})
result = trainer.train()
trainer.save_metrics("train", result.metrics)
trainer.save_metrics("eval", trainer.evaluate())
trainer.save_state()
history = trainer.state.log_history
names = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy")
for path in ("out/trainer_state.json", "stdout.log"):
    curves = {name: [(entry["epoch"], entry[name]) for entry in history if name in entry] for name in names}
    truth.source(path, "epoch", curves, digits="full" if path != "stdout.log" else "%.4g")
# all_results.json has the mean of the whole training, which no history has.
truth.result("out/trainer_state.json", optional=["train_loss"])
truth.write()
