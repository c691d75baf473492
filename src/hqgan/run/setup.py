"""What a run starts with: its split, its networks, its batches of real images."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hqgan import config as configs
from hqgan.config import Config, HybridConfig
from hqgan.data import BatchSampler, augment_dihedral, check_leaks, dihedral_ways, load_split, save_split, split_of
from hqgan.data.cache import cache_folder
from hqgan.errors import UserError
from hqgan.evaluation.real_images import evaluation_subset
from hqgan.io.images import to_float
from hqgan.metrics.extractors.prototypes import train_proto
from hqgan.models.base import Generator
from hqgan.models.build import build_critic, build_generator
from hqgan.models.hybrid import HybridGenerator
from hqgan.models.latent import PrototypeLatent
from hqgan.reporter import Reporter
from hqgan.run.log import read_run
from hqgan.sampling.load import check_split, facts_of
from hqgan.training import checkpoint
from hqgan.training.distributed import Processes, share_batch_norms
from hqgan.training.state import State, dtype_of, layout, new_state
from hqgan.types import Batch, ImageData, Split


@dataclass(frozen=True)
class Setup:
    """What a run works with; fixed before its first step.

    Attributes:
        out: the run's folder.
        device: where networks are.
        processes: which processes train together.
        reporter: receives messages and progress.
    """

    config: Config
    out: Path
    data: ImageData
    split: Split
    device: torch.device
    processes: Processes
    reporter: Reporter


def check_processes(config: Config, world: int) -> None:
    """Refuse what several processes would not train exactly as one does."""
    if world == 1:
        return
    if config.private:
        raise UserError("Private training runs in one process: its samples vary in size and cannot be shared out.")
    batch, generator = config.training.batch, config.generator
    if batch % world:
        raise UserError(
            f"A batch of {batch} images cannot be shared by {world} processes; take `training.batch` "
            f"{batch + -batch % world}, or another number of processes."
        )
    if config.critic.kind == "residual" and batch // world % 4:
        raise UserError(
            f"The critic of preset {config.preset} looks at groups of four images; take `training.batch` "
            f"{4 * world * -(-batch // (4 * world))} for {world} processes."
        )
    if isinstance(generator, HybridConfig) and generator.branch == "noise":
        raise UserError("The branch of noise measures moments of whole batches; train it by one process.")


def tf32_for_convolutions() -> None:
    """On CUDA, TF32 for convolutions in single precision; never for matrix products, by which circuits are simulated."""
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False


def run_split(config: Config, data: ImageData, out: Path) -> Split:
    """Read or draw the run's split and write it with the config, the config first: a folder without one is not known as a run."""
    path = out / "split.json"
    if path.exists():
        split = load_split(path, data)
        configs.write(config, out / "config.json")
        return split
    split = split_of(data, config.data.seed, config.data.fraction)
    check_leaks(split, data.group_of, data.groups)
    if empty := [side for side in ("train", "validation") if not len(getattr(split, side))]:
        raise UserError(
            f"{config.data.path} has no image on the side {empty[0]}: training needs a class of at least three groups (lesions, "
            "patients, or images that are no copies); add images, or merge classes."
        )
    configs.write(config, out / "config.json")
    save_split(path, split, data)
    return split


def start_state(setup: Setup) -> State:
    """The networks, new or from the newest checkpoint in the run's folder, the same in every process."""
    config, out, data, device, processes = setup.config, setup.out, setup.data, setup.device, setup.processes
    random.seed(config.training.seed)
    torch.manual_seed(config.training.seed)
    np.random.seed(config.training.seed % 2**32)  # noqa: NPY002 - libraries that draw globally draw the same
    generator = build_generator(config, len(data.classes))
    critic = build_critic(config, len(data.classes), generator)
    source = generator.source if isinstance(generator, HybridGenerator) else None
    start = checkpoint.latest(out / "checkpoints")
    with processes.one_at_a_time():
        rows = evaluation_subset(setup.split).train
        # A checkpoint holds what `fit` learnt, and most generators learn nothing before training.
        if start is None and type(generator).fit is not Generator.fit:
            generator.fit(
                to_float(data.images[rows]), torch.from_numpy(data.labels[rows]), config.training.seed, setup.reporter
            )
        if isinstance(source, PrototypeLatent):
            setup.reporter.message("training the feature network that prototypes start from")
            source.start_from(torch.from_numpy(train_proto(data, rows, cache_folder(None))))
    state = new_state(generator, critic, config.training, device)
    if start is not None:
        _resume(setup, state, start)
    elif not config.private:
        check_split(setup.split, data, read_run(out), out)
    if processes.any(processes.mean({"images": state.images})["images"] != state.images):
        raise UserError(
            f"The processes see different checkpoints in {out}: put `out` on a disk that all machines share."
        )
    processes.make_equal(generator, critic, state.average)
    for network in (generator, critic):
        share_batch_norms(network, processes)
    for circuit in generator.circuits:
        circuit.shard = processes.shard
    return state


def _resume(setup: Setup, state: State, start: Path) -> None:
    """Make `state` what the checkpoint `start` holds."""
    config, data = setup.config, setup.data
    tensors, values = checkpoint.read(start)
    # A private run's checkpoints hold no fingerprint: `start_private` compares the data itself.
    if not config.private and facts_of(values, start).data.fingerprint != data.fingerprint:
        raise UserError(
            f"{config.data.path} is not the data that {setup.out} was trained on; give that, or another `out`."
        )
    if not config.private:  # whose secret is bound to the split
        check_split(setup.split, data, values, setup.out)
    try:
        state.restore(tensors, values)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{start} does not hold what training goes on from ({error}); start in another `out`."
        ) from error
    setup.reporter.message(f"resuming at {state.images:,} images from {start.name}")


def batches_of(setup: Setup) -> Callable[[int], Batch]:
    """A function from the index of a step to this process's shard of its real images; a pure function of the config's seed."""
    data, split, shard, training = setup.data, setup.split, setup.processes.shard, setup.config.training
    sampler = BatchSampler(data.labels[split.train], training.batch, training.seed, training.balanced)

    def batch(step: int) -> Batch:
        rows = split.train[shard.rows(sampler.batch(step))]
        images = data.images[rows]
        if training.dihedral:
            ways = dihedral_ways(training.batch, np.random.default_rng([training.seed, step]))
            images = augment_dihedral(images, shard.rows(ways))
        floats = to_float(images).to(setup.device, dtype_of(training), memory_format=layout(training))
        return Batch(floats, torch.from_numpy(data.labels[rows]).to(setup.device))

    return batch
