"""Batch norm over the images of all processes; PyTorch's own (SyncBatchNorm) does it on GPUs only."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hqgan.training.distributed import Processes


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs, and can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _Sum.apply(gradient.contiguous())


class _SharedBatchNorm(_BatchNorm):
    """A batch norm that in training knows the means and variances of the whole batch."""

    processes: Processes

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002 - torch's name
        pass

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, ...) to the same shape."""
        if not self.training:
            return super().forward(x)
        given, x = x.dtype, x if x.dtype == torch.float64 else x.float()
        rank, world = self.processes.shard.rank, self.processes.shard.world
        count, places = x.numel() // x.shape[1], [0, *range(2, x.dim())]
        variance, mean = torch.var_mean(x, places, unbiased=False)
        # Everyone's moments side by side: their spread is added to the mean variance, which loses no digits.
        moments = x.new_zeros(world, 2, x.shape[1])
        moments = _Sum.apply(
            moments.index_copy(0, torch.tensor([rank], device=x.device), torch.stack([mean, variance])[None])
        )
        means, variances = moments.unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            total = count * world
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (total / (total - 1)), self.momentum)
            self.num_batches_tracked.add_(1)
        shape = [1, -1] + [1] * (x.dim() - 2)
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        out = (x - mean.view(shape)) * scale.view(shape)
        return (out if self.bias is None else out + self.bias.view(shape)).to(given)


def share_batch_norms(module: nn.Module | None, processes: Processes) -> None:
    """Make the batch norms in `module` use the whole batch of all processes in training; names and weights do not change."""
    if module is None or processes.shard.world == 1:
        return
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = _SharedBatchNorm
            part.processes = processes  # type: ignore[assignment]
