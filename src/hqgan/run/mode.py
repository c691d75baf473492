"""Ordinary and private training, as a run sees them: the step, the evaluator, what is recorded."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from hqgan.data import split_hash
from hqgan.evaluation.extractors import build_evaluator
from hqgan.metrics.evaluator import Evaluator
from hqgan.run.privacy import facts, sentence, start_private
from hqgan.run.setup import Setup, batches_of
from hqgan.training.dp_step import PrivateStep
from hqgan.training.state import State
from hqgan.training.step import TrainingStep, step_of


class RunMode:
    """Ordinary training, without differential privacy.

    Attributes:
        step: what the training loop repeats.
    """

    def __init__(self, setup: Setup, state: State) -> None:
        self.setup = setup
        self.step: TrainingStep = step_of(state, setup.config.training, batches_of(setup), setup.processes)

    def evaluator(self) -> Evaluator | None:
        """What measures samples during training, on the validation part; None where nothing may look at real images."""
        setup = self.setup
        setup.reporter.message(
            "training the feature extractors and computing reference statistics on the validation part"
        )
        return build_evaluator(setup.data, setup.split, setup.split.validation, setup.config.data.seed, setup.reporter)

    def description(self) -> dict[str, Any]:
        """Facts for run.json and checkpoints: name, licence, fingerprint and training images by class; hash of the split."""
        data, split = self.setup.data, self.setup.split
        counts = np.bincount(data.labels[split.train], minlength=len(data.classes)).tolist()
        return {"data": self._facts(data.fingerprint, counts), "split_sha256": split_hash(split, len(data))}

    def checkpoint_values(self, state: State) -> dict[str, Any]:
        """Further values of a checkpoint: none."""
        return {}

    def report(self, state: State) -> None:
        """Tell the reporter at the end what there is to tell: nothing."""

    def _facts(self, fingerprint: str, training_images: list[int]) -> dict[str, Any]:
        data = self.setup.data
        names = {"name": data.name, "licence": data.licence}
        return {**names, "fingerprint": fingerprint, "training_images": training_images}


class PrivateMode(RunMode):
    """Training with differential privacy (docs/privacy.md): real images are seen by private critic steps alone."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.private = start_private(setup.config, setup.out, setup.data, setup.split, setup.device)
        self.step = PrivateStep(setup.config.training, self.private)

    def evaluator(self) -> None:
        """None: feature extractors are trained on the training part, and look at real images."""

    def description(self) -> dict[str, Any]:
        """Name, licence and plan. Fingerprint and counts would change with every single image."""
        return {"data": self._facts("", []), "privacy": asdict(self.private.plan)}

    def checkpoint_values(self, state: State) -> dict[str, Any]:
        """The privacy plan and the epsilon spent."""
        return {"privacy": facts(self.private, self._critic_steps(state))}

    def report(self, state: State) -> None:
        """The privacy spent."""
        plan = self.private.plan
        self.setup.reporter.message(sentence(plan.spent(self._critic_steps(state)), plan))

    def _critic_steps(self, state: State) -> int:
        return state.step * self.setup.config.training.critic_steps


def mode_of(setup: Setup, state: State) -> RunMode:
    """The mode that a run's config asks for."""
    return PrivateMode(setup) if setup.config.private else RunMode(setup, state)
