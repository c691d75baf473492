"""The pretrained networks that metrics can use, a row each: Inception-v3, DINOv2 and LPIPS's AlexNet.

Their weights come from a path, or by one download that is announced and checked; without them the metrics that need them
have a reason in place of a value.
"""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from hqgan.errors import UserError
from hqgan.io.files import replacing
from hqgan.metrics.extractors import dinov2, inception, lpips
from hqgan.metrics.extractors.published import Provided, digest_of
from hqgan.reporter import SILENT, Reporter
from hqgan.wording import listed

PRETRAINED = {"inception": inception.PUBLISHED, "dinov2": dinov2.PUBLISHED, "alexnet": lpips.PUBLISHED}
"""By the name that ``--weights NAME=FILE`` takes."""


class UnavailableError(Exception):
    """Weights that are not available; the sentence is a metric's reason."""


def weights(name: str, given: Mapping[str, Path], cache: Path, download: bool, reporter: Reporter = SILENT) -> Path:
    """Where the weights of a network are.

    Args:
        name: a key of `PRETRAINED`.
        given: paths by name.
        cache: folder for what is downloaded.
        download: whether downloading is allowed.
        reporter: receives a message about a download before it begins.

    Raises:
        UnavailableError: neither given nor in the cache, and no download is allowed or it failed.
    """
    if unknown := sorted(set(given) - set(PRETRAINED)):
        raise UserError(
            f"There is no network {unknown[0]!r} to give weights for; there are {listed(list(PRETRAINED))}."
        )
    if name in given:
        if not given[name].is_file():
            raise UserError(f"There are no weights at {given[name]}.")
        return given[name]
    offer = PRETRAINED[name]
    kept = cache / "weights" / offer.url.rsplit("/", 1)[1]
    if kept.exists():
        return kept
    if not download:
        raise UnavailableError(
            f"no weights: give --weights {name}=FILE, or allow --download ({offer.megabytes} MB from {offer.url})"
        )
    reporter.message(f"downloading {offer.what}, {offer.megabytes} MB, from {offer.url} into {kept.parent}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(kept) as temporary:
            with urllib.request.urlopen(offer.url, timeout=60) as source, temporary.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            if offer.sha256 and digest_of(temporary) != offer.sha256:
                raise UnavailableError(
                    f"what came from {offer.url} has another SHA-256 than its publisher's file; it was thrown away"
                )
    except OSError as error:  # URLError is one
        reason = getattr(error, "reason", error)
        raise UnavailableError(
            f"{offer.url} could not be fetched ({reason}); fetch it elsewhere and give --weights {name}=FILE"
        ) from error
    return kept


class PretrainedNetworks:
    """The pretrained networks whose weights are available, and why the others are not.

    Attributes:
        extractors: the networks that are feature extractors.
        class_probabilities: Inception's, (N, 1008) of uint8 images; None without it.
        lpips: a distance of image pairs; None without it.
        missing: distance, extractor and reason of each metric that cannot be computed.
    """

    def __init__(self, given: Mapping[str, Path], cache: Path, download: bool, reporter: Reporter = SILENT) -> None:
        """Load those whose weights are available; arguments as `weights`."""
        provided: dict[str, Provided] = {}
        self.missing: list[tuple[str, str | None, str]] = []
        for name, network in PRETRAINED.items():
            try:
                provided[name] = network.load(weights(name, given, cache, download, reporter))
            except UnavailableError as error:
                self.missing += [(*metric, str(error)) for metric in network.metrics]
        self.extractors = [one.extractor for one in provided.values() if one.extractor]
        of_one = [one.class_probabilities for one in provided.values() if one.class_probabilities]
        of_two = [one.image_distance for one in provided.values() if one.image_distance]
        self.class_probabilities, self.lpips = next(iter(of_one), None), next(iter(of_two), None)
