"""What the adapters of trainers on PyTorch share."""

import experiments


def stop_is_requested() -> bool:
    """A stop of one process is a stop of all: those that went on would wait for it for ever."""
    import torch

    stop = experiments.should_stop()
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        flag = torch.tensor(int(stop), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        stop = bool(flag)
    return stop
