"""How much privacy training spends, by opacus's accountant."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hqgan.errors import UserError


@dataclass(frozen=True)
class Plan:
    """The parameters of a private run's guarantee; fixed before the first step, and all public.

    Attributes:
        epsilon: never exceeded, at `delta`, for adding or removing one lesion.
        clip: largest norm of one lesion's gradient.
        noise_multiplier: deviation of the noise on a sum of gradients, in units of `clip`.
        sampling_rate: chance of a lesion to be in a critic step's sample.
        steps: critic steps that are planned; there may be no more.
        lesions: in the training part.
    """

    epsilon: float
    delta: float
    clip: float
    noise_multiplier: float
    sampling_rate: float
    steps: int
    lesions: int

    def spent(self, steps: int) -> float:
        """Epsilon at `delta` after a number of critic steps."""
        if steps > self.steps:
            raise ValueError(f"{steps} critic steps are more than the {self.steps} planned")
        return spent(self.noise_multiplier, self.sampling_rate, steps, self.delta)


def plan(epsilon: float, delta: float, clip: float, lesions: int, expected: int, steps: int) -> Plan:
    """The least noise with which `steps` Poisson samples of `expected` out of `lesions` stay within (epsilon, delta).

    By Rényi differential privacy (arXiv 1702.07476, 1908.10530): a proven bound, where numerical ones are tighter by some
    per cent but estimates.

    Raises:
        UserError: opacus is absent, or it finds no noise that is enough.
    """
    rate = expected / lesions
    with _opacus():
        from opacus.accountants.utils import get_noise_multiplier

        try:
            noise = get_noise_multiplier(
                target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant="rdp"
            )
        except ValueError as error:
            raise UserError(
                f"opacus's accountant finds no noise that keeps {steps:,} critic steps within epsilon {epsilon:g} at delta "
                f"{delta:g}; allow more by `privacy.epsilon` or `privacy.delta`."
            ) from error
    return Plan(epsilon, delta, clip, float(noise), rate, steps, lesions)


def spent(noise_multiplier: float, sampling_rate: float, steps: int, delta: float) -> float:
    """Epsilon at `delta` of that many steps of the sampled Gaussian mechanism; 0 before the first."""
    if steps == 0:
        return 0.0
    with _opacus():
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(noise_multiplier, sampling_rate, steps)]
        return float(accountant.get_epsilon(delta))


@contextmanager
def _opacus() -> Iterator[Any]:
    try:
        with warnings.catch_warnings():
            # Far from the budget the best Rényi order lies at the end of its range; the bound holds at any.
            warnings.filterwarnings("ignore", "Optimal order is the")
            yield
    except ImportError as error:
        raise UserError("Private training needs opacus's accountant: pip install 'hqgan[privacy]'.") from error
