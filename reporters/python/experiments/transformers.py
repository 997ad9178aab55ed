"""transformers: Trainer(..., callbacks=[ExperimentsCallback()]), or TrainingArguments(report_to="experiments") once this
module is imported"""

import os
from typing import Any, Dict, Optional

import transformers
from transformers.integrations import integration_utils
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

import experiments
from experiments._torch import stop_is_requested

# Durations, rates and counts that stand among the metrics of a log.
_NO_METRICS = ("epoch", "step", "total_flos", "num_input_tokens_seen")
_NO_METRIC_ENDINGS = ("_runtime", "_per_second")


class ExperimentsCallback(transformers.TrainerCallback):
    """Reports what the trainer logs, by its fractional epoch and its step, and checkpoints; a stop request ends the
    training after the step that runs, with a checkpoint where the trainer saves some."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Optional[Dict[str, Any]] = None, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            metrics = {name: value for name, value in (logs or {}).items() if isinstance(value, (int, float))
                       and name not in _NO_METRICS and not name.endswith(_NO_METRIC_ENDINGS)}
            experiments.report(epoch=state.epoch, step=state.global_step, epochs=state.num_train_epochs or None,
                               metrics=metrics)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            output = os.path.abspath(args.output_dir)
            experiments.report(epoch=state.epoch, step=state.global_step, output=output,
                               checkpoint=os.path.join(output, f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # All processes have to agree, which costs them a message: not after every step.
        if args.world_size == 1 or state.global_step % max(int(state.logging_steps), 1) == 0:
            self._stop(args, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._stop(args, control)

    @staticmethod
    def _stop(args: Any, control: Any) -> None:
        if not control.should_training_stop and stop_is_requested():
            control.should_training_stop = True
            # With "epoch" it is saved anyway: the epoch ends here.
            control.should_save = control.should_save or args.save_strategy == "steps"


# report_to finds integrations in this table only; there are no entry points.
integration_utils.INTEGRATION_TO_CALLBACK["experiments"] = ExperimentsCallback
