"""Several processes that train one network together, as torchrun starts them; one alone needs none of this.

Whatever waits for the others must be called by all of them, in the same order.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


def world() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is; 0 is the one that writes and speaks."""
    return distributed.get_rank() if world() > 1 else 0


def wait() -> None:
    """Until all of them are here."""
    if world() > 1:
        distributed.barrier()


def total(values: Tensor) -> Tensor:
    """The sum of tensors of one shape over all processes, the same to the last bit in each."""
    if world() == 1:
        return values
    summed = values.clone()
    distributed.all_reduce(summed)
    return summed


def largest(values: Sequence[float]) -> list[float]:
    """Of each number the largest over all processes."""
    found = torch.tensor(values, dtype=torch.float64)
    if world() > 1:
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return found.tolist()


def told(make: Callable[[], T]) -> T:
    """What process 0 makes, in all of them; a user's error that it meets is raised in all of them."""
    if world() == 1:
        return make()
    answer: list = [None, None]
    if rank() == 0:
        try:
            answer = [make(), None]
        except (ValueError, OSError) as error:
            answer = [None, error]
    distributed.broadcast_object_list(answer)
    made, error = answer
    if error is not None:
        raise error
    return made


def joined(network: nn.Module) -> nn.Module:
    """A network whose gradients become the means of those of all processes; it begins as that of process 0."""
    if world() == 1:
        return network
    return DistributedDataParallel(network, forward_sync_buffers=False, gradient_as_bucket_view=True)


def differentiate(network: nn.Module, parts: Sequence[T], loss: Callable[[T], Tensor]) -> None:
    """Gradients of the mean of `loss` over equal parts of a batch, and over all processes if the network is `joined`.

    They pass between processes once, with the last part.
    """
    for place, part in enumerate(parts, 1):
        silent = place < len(parts) and isinstance(network, DistributedDataParallel)
        with network.no_sync() if silent else nullcontext():
            (loss(part) / len(parts)).backward()
