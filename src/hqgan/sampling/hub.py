"""Trained generators on the Hugging Face hub: weights, facts and a card; no optimiser state, paths or images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hqgan.errors import UserError
from hqgan.io.files import LARGEST_JSON
from hqgan.metrics.record import MetricRow
from hqgan.reporter import SILENT, Reporter
from hqgan.sampling.model_card import model_card
from hqgan.training import checkpoint

if TYPE_CHECKING:
    from hqgan.sampling.load import Loaded

PREFIX = "hf:"
"""How places on the hub begin, as in hf:owner/name; anything else is a path."""
NAME = "checkpoint"
KEPT = ("config", "classes", "data", "step", "images", "ema_sha256", "split_sha256", "privacy")
"""Fields of a checkpoint's JSON that are uploaded."""
FRONT = """---
library_name: hqgan
pipeline_tag: unconditional-image-generation
tags:
- gan
- quantum-machine-learning
- dermatology
- synthetic-data
---

"""


def push(
    loaded: Loaded, repo: str, metrics: Sequence[MetricRow] = (), *, public: bool = False, reporter: Reporter = SILENT
) -> str:
    """Upload a trained generator: its averaged weights, its config and facts, its model card.

    Args:
        loaded: the generator; its checkpoint is read again.
        repo: ``owner/name``; made where missing, private unless `public`.
        metrics: rows for the model card.
        public: whether everybody may see it; one that is there has to be so already.
        reporter: receives what goes where before it goes.

    Returns:
        Its address.

    Raises:
        UserError: a damaged checkpoint, a repository of something else or open to others than asked, no token or no rights,
            no network.
    """
    from huggingface_hub import HfApi

    tensors, values = checkpoint.read(loaded.path)
    tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("ema/")}
    values = {name: values[name] for name in KEPT if name in values}
    config = {**values["config"], "data": {**values["config"]["data"], "path": values["data"]["name"]}}
    wanted, other = ("public", "private") if public else ("private", "public")
    api = HfApi(library_name="hqgan")
    with tempfile.TemporaryDirectory() as folder, _sentences(repo):
        written = checkpoint.write(Path(folder), NAME, tensors, {**values, "config": config})
        uploaded = replace(loaded, checkpoint_hash=checkpoint.read_values(written)["sha256"])
        (Path(folder) / "README.md").write_text(FRONT + model_card(uploaded, metrics), encoding="utf-8")
        size = written.with_suffix(".safetensors").stat().st_size / 1e6
        if api.repo_exists(repo):
            there = api.model_info(repo)
            held = {file.rfilename for file in there.siblings or ()} - {".gitattributes"}
            if bool(there.private) == public:
                advice = "leave `public` away" if public else "say `public` to upload to it"
                raise UserError(f"{repo} is there already and {other}: {advice}, or choose another name.")
            if held and f"{NAME}.json" not in held:
                raise UserError(f"{repo} holds something else already: choose another name.")
        reporter.message(f"uploading weights ({size:,.1f} MB), config and model card to {wanted} {repo}")
        address = api.create_repo(repo, private=not public, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message="A generator by hqgan")
    return str(address)


def pull(repo: str, *, reporter: Reporter = SILENT) -> Path:
    """Download a generator that `push` put there, into Hugging Face's own cache.

    Args:
        repo: ``owner/name``.
        reporter: receives what comes from where, and how much, before it comes.

    Returns:
        The checkpoint's JSON.

    Raises:
        UserError: there is none, no rights, no network, or it is not what its JSON says.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="hqgan")
    with _sentences(repo):
        found = api.model_info(repo, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in found.siblings or ()}
        if lacking := [ending for ending in ("json", "safetensors") if f"{NAME}.{ending}" not in sizes]:
            raise UserError(f"{repo} on the Hugging Face hub is no generator of hqgan: it lacks {NAME}.{lacking[0]}.")
        facts, weights = sizes[f"{NAME}.json"], sizes[f"{NAME}.safetensors"]
        if facts > LARGEST_JSON:
            raise UserError(
                f"{NAME}.json of {repo} has {facts / 1e6:,.0f} MB, far more than facts take: it is not fetched."
            )
        reporter.message(
            f"downloading a generator, {(facts + weights) / 1e6:,.1f} MB, from {repo} on the Hugging Face hub"
        )
        # Of one state of the repository: somebody may upload between the two.
        path = Path(api.hf_hub_download(repo, f"{NAME}.json", revision=found.sha))
        if (size := checkpoint.read_values(path)["bytes"]) != weights:
            raise UserError(
                f"The weights of {repo} have {weights:,} bytes, its JSON says {size:,}: they are not fetched."
            )
        api.hf_hub_download(repo, f"{NAME}.safetensors", revision=found.sha)
    return path


@contextmanager
def _sentences(repo: str) -> Iterator[None]:
    """Turn every error of the hub into a sentence."""
    from huggingface_hub import errors

    try:
        yield
    except UserError:
        raise
    except errors.LocalTokenNotFoundError as error:
        raise UserError("There is no Hugging Face token here: log in by `hf auth login`, or set HF_TOKEN.") from error
    except errors.HFValidationError as error:
        raise UserError(f"{repo!r} is no repository of the hub; it reads owner/name.") from error
    except Exception as error:
        known = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.EntryNotFoundError, ConnectionError)
        # What fails below the hub's library is of httpx, under the name of the version that it came with.
        # A login page, or anything else than the hub's answers, fails in its reading.
        odd = isinstance(error, (ValueError, AttributeError, KeyError, TypeError))
        if not (odd or isinstance(error, known) or type(error).__module__.startswith("httpx")):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"The Hugging Face hub did not do that with {repo} ({reason}): check its name, your token and the network."
        ) from error
