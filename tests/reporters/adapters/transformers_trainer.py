import os

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed, trainer_utils

import experiments.transformers
from told import EPOCHS, tell

set_seed(0)
tokens = torch.randint(0, 50, (96, 12))
data = [{"input_ids": row, "labels": row.sum() % 2} for row in tokens]
model = BertForSequenceClassification(BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                                 intermediate_size=16, max_position_embeddings=16))
arguments = TrainingArguments(output_dir="out", num_train_epochs=EPOCHS, per_device_train_batch_size=16, logging_steps=3,
                              eval_strategy="epoch", save_strategy="steps", save_steps=5, learning_rate=1e-3,
                              report_to="experiments", use_cpu=True, seed=0, disable_tqdm=True)
trainer = Trainer(model, arguments, train_dataset=data[:64], eval_dataset=data[64:])
trainer.train()
history, state = trainer.state.log_history, trainer.state
names = ("loss", "grad_norm", "learning_rate", "eval_loss", "train_loss")
tell("epoch", {name: [(entry["epoch"], entry[name]) for entry in history if name in entry] for name in names},
     n_batches=state.global_step, epoch=state.epoch, step=state.global_step, totalEpochs=EPOCHS,
     outputPath=os.path.abspath("out"),
     checkpoint={"path": os.path.abspath(trainer_utils.get_last_checkpoint("out")), "epoch": state.epoch})
