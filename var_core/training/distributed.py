"""Several processes that train one network together, as torchrun starts them; one alone needs none of this.

Whatever waits for the others must be called by all of them, in the same order.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


def world() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Return which of them this is; 0 is the one that writes and speaks."""
    return distributed.get_rank() if world() > 1 else 0


def wait() -> None:
    """Wait until all of them are here."""
    if world() > 1:
        distributed.barrier()


def all_reduce_sum(values: Tensor) -> Tensor:
    """Return the sum of tensors of one shape over all processes, the same to the last bit in each."""
    if world() == 1:
        return values
    summed = values.clone()
    distributed.all_reduce(summed)
    return summed


def all_reduce_max(values: Sequence[float]) -> list[float]:
    """Return the largest of each number over all processes."""
    found = torch.tensor(values, dtype=torch.float64)
    if world() > 1:
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return found.tolist()


def broadcast(make: Callable[[], T]) -> T:
    """Return what process 0 makes, in all of them; a user's error that it meets is raised in all of them."""
    if world() == 1:
        return make()
    answer: list[Any] = [None, None]
    if rank() == 0:
        try:
            answer = [make(), None]
        except (ValueError, OSError) as error:
            answer = [None, error]
    distributed.broadcast_object_list(answer)
    made, refused = answer
    if refused is not None:
        raise refused
    return made


def wrap_ddp(network: nn.Module) -> nn.Module:
    """Return the network, so that its gradients become means over all processes; it begins as that of process 0."""
    if world() == 1:
        return network
    return DistributedDataParallel(network, forward_sync_buffers=False, gradient_as_bucket_view=True)


def differentiate(network: nn.Module, parts: Sequence[T], loss: Callable[[T], Tensor]) -> None:
    """Compute gradients of the mean of `loss` over equal parts of a batch.

    If the network comes from `wrap_ddp`, it is the mean over all processes too.

    They pass between processes once, with the last part.
    """
    for number, part in enumerate(parts, 1):
        wrapped = network if isinstance(network, DistributedDataParallel) else None
        with wrapped.no_sync() if wrapped and number < len(parts) else nullcontext():
            (loss(part) / len(parts)).backward()
