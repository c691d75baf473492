"""Training by several processes, started by torchrun and joined by lightning-fabric: with the same results as one process.

Every process holds the whole model and a `Shard` of each batch. Gradients are averaged here, explicitly, after backward: the
hooks of DistributedDataParallel do not see through gradient penalties. Batch norms use the images of all processes; PyTorch's
own (SyncBatchNorm) do so on GPUs only.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hqgan.errors import UserError
from hqgan.runtime.processes import ALL, Shard, current_shard

PATIENCE = timedelta(hours=6)
"""How long a process waits for the others: as long as the first may take to decode a data set or to evaluate."""


@dataclass(frozen=True)
class Processes:
    """The processes that train one model; by default this one alone.

    Attributes:
        shard: the rows of each batch that this one holds.
        fabric: what joins them, a ``lightning_fabric.Fabric``; None for one process.
    """

    shard: Shard = ALL
    fabric: Any = None

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes, evaluates and prints."""
        return self.shard.rank == 0

    @property
    def device(self) -> torch.device | None:
        """The device of this process, if it was set by joining the others."""
        return self.fabric.device if self.fabric else None

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.fabric:
            self.fabric.barrier()

    def first_alone(self, work: Callable[[], None]) -> None:
        """Let the first process do something while the others wait; if it raises UserError, all do.

        Raises:
            UserError: what `work` raised in the first one.
        """
        refused: UserError | None = None
        if self.first:
            try:
                work()
            except UserError as error:
                refused = error
        if self.fabric:
            text = str(refused or "").encode()
            length = torch.tensor([len(text)], device=self.fabric.device)
            torch.distributed.broadcast(length, 0)
            if length:
                letters = torch.tensor(list(text) if self.first else [0] * int(length), dtype=torch.uint8).to(
                    length.device
                )
                torch.distributed.broadcast(letters, 0)
                refused = refused or UserError(bytes(letters.tolist()).decode())
        if refused:
            raise refused

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Let the first process of each machine go first, then the others, which find its results in the cache."""
        if self.fabric is None:
            yield
            return
        with self.fabric.rank_zero_first(local=True):
            yield

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over all processes: for equal shards, the gradient of the whole batch.

        A weight that no process has used keeps no gradient, so that its optimiser skips it, as with one process;
        some weights belong to a class, and a shard may have no image of that class.
        """
        if self.fabric is None:
            return
        mine = list(parameters)
        here = torch.tensor([p.grad is not None for p in mine], dtype=torch.float32, device=self.fabric.device)
        used = self.fabric.all_reduce(here, reduce_op="sum").tolist()
        gradients = []
        for parameter, somewhere in zip(mine, used, strict=True):
            if somewhere:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                gradients.append(parameter.grad)
        for dtype in dict.fromkeys(g.dtype for g in gradients):
            alike = [g for g in gradients if g.dtype == dtype]
            flat = self.fabric.all_reduce(torch.cat([g.flatten() for g in alike]), reduce_op="mean")
            for gradient, mean in zip(alike, flat.split([g.numel() for g in alike]), strict=True):
                gradient.copy_(mean.view(gradient.shape))

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Means over all processes of numbers with the same names."""
        if self.fabric is None or not values:
            return dict(values)
        own = torch.tensor(list(values.values()), dtype=torch.float64, device=self.fabric.device)
        return dict(zip(values, self.fabric.all_reduce(own, reduce_op="mean").tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        return self.mean({"flag": float(flag)})["flag"] > 0

    def make_equal(self, *modules: nn.Module | None) -> None:
        """Copy the weights and buffers of the first process to all."""
        if self.fabric is None:
            return
        for module in modules:
            for tensor in module.state_dict().values() if module is not None else ():
                whole = tensor.contiguous()  # whatever its layout in memory
                torch.distributed.broadcast(whole, 0)
                tensor.copy_(whole)


SINGLE = Processes()


@contextmanager
def together(device: str, shard: Shard) -> Iterator[Processes]:
    """The processes that share a training; they synchronise at the start and, without errors, at the end.

    Args:
        shard: of this process, as torchrun has told it.
        device: ``auto``, ``cpu`` or ``cuda``; each process takes the accelerator of its number on its machine.

    Raises:
        UserError: lightning-fabric is not there, or the device is not one that each process can have.
    """
    world = shard.world
    if world == 1:
        yield SINGLE
        return
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy
    except ImportError as error:
        raise UserError(
            "Training by several processes needs lightning-fabric: pip install 'hqgan[distributed]'."
        ) from error
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    if device not in ("cpu", "cuda"):
        raise UserError(f"The device {device!r} cannot be shared by {world} processes; give cpu, cuda or auto.")
    if device == "cuda" and torch.cuda.device_count() < local:
        raise UserError(
            f"There are {torch.cuda.device_count()} CUDA devices here for {local} processes; give torchrun a smaller "
            "--nproc-per-node, or `device` cpu."
        )
    backend = "nccl" if device == "cuda" else "gloo"
    if not torch.distributed.is_initialized():
        _meet(backend, world)
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=world // local,
        strategy=DDPStrategy(process_group_backend=backend, timeout=PATIENCE),
    )
    fabric.launch()
    with _own_cores(local) if device == "cpu" else nullcontext():
        yield Processes(Shard(fabric.global_rank, fabric.world_size), fabric)
        fabric.barrier()  # nobody leaves while another still needs it


@contextmanager
def _own_cores(local: int) -> Iterator[None]:
    """Restrict this process to its part of the machine's cores.

    The system tends to run a process on the core that its last message came from, which puts two processes on one core.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    mine = sorted(cores)[int(os.environ["LOCAL_RANK"]) :: local]
    os.sched_setaffinity(0, mine or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _meet(backend: str, world: int) -> None:
    """Make the process group, as Fabric would, but in a place of its own for each of torchrun's attempts.

    After a restart the store of torchrun's agent still holds the addresses of the processes that ended, and PyTorch 2.5 to 2.13
    hand them out again (pytorch/pytorch issue 135712). Left once, when this process ends.
    """
    how: dict[str, Any] = {}
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = torch.distributed.TCPStore(host, port, world, is_master=False, timeout=PATIENCE)
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        how = {
            "store": torch.distributed.PrefixStore(f"attempt-{attempt}", store),
            "rank": current_shard().rank,
            "world_size": world,
        }
    torch.distributed.init_process_group(backend, timeout=PATIENCE, **how)
    atexit.register(torch.distributed.destroy_process_group)


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
