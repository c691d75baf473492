"""Trained generators on the Hugging Face hub: weights, facts and a card; no optimiser, no path of this machine, no image."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hqgan.training import checkpoint
from hqgan.types import UserError

PREFIX = "hf:"
"""Of a place on the hub, as in hf:owner/name; anything else is a path."""
NAME = "checkpoint"
KEPT = ("config", "config_hash", "classes", "data", "step", "images", "ema_sha256")
"""Of a checkpoint's JSON, that goes along."""
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
    path: Path,
    card: str,
    repo: str,
    *,
    public: bool = False,
    endpoint: str | None = None,
    say: Callable[[str], None],
) -> str:
    """Upload a trained generator: its averaged weights, its config and facts, its model card.

    Args:
        path: a checkpoint's JSON.
        card: Markdown.
        repo: ``owner/name``; made where missing, private unless `public`.
        public: whether everybody may see a repository that is made now.
        endpoint: of the hub; None for ``$HF_ENDPOINT``, else Hugging Face's.
        say: told what goes where before it goes.

    Returns:
        Its address.

    Raises:
        UserError: a damaged checkpoint, no token or no rights, no network.
    """
    from huggingface_hub import HfApi

    tensors, values = checkpoint.read(path)
    tensors = {name: tensor for name, tensor in tensors.items() if name.startswith("ema/")}
    values = {name: values[name] for name in KEPT if name in values}
    config = {**values["config"], "data": {**values["config"]["data"], "path": values["data"]["name"]}}
    api = HfApi(endpoint=endpoint, library_name="hqgan")
    with tempfile.TemporaryDirectory() as folder, _sentences(repo):
        written = checkpoint.write(Path(folder), NAME, tensors, {**values, "config": config})
        (Path(folder) / "README.md").write_text(FRONT + card, encoding="utf-8")
        size = written.with_suffix(".safetensors").stat().st_size / 1e6
        say(f"uploading weights ({size:,.1f} MB), config and model card to {'public' if public else 'private'} {repo}")
        address = api.create_repo(repo, private=not public, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message="A generator by hqgan")
    return str(address)


def pull(repo: str, *, endpoint: str | None = None, say: Callable[[str], None]) -> Path:
    """Download a generator that `push` put there, into Hugging Face's own cache.

    Args:
        repo: ``owner/name``.
        endpoint: of the hub; None for ``$HF_ENDPOINT``, else Hugging Face's.
        say: told what comes from where before it comes.

    Returns:
        The checkpoint's JSON.

    Raises:
        UserError: there is none, no rights, no network, or it is damaged.
    """
    from huggingface_hub import hf_hub_download

    options: Mapping[str, Any] = {"repo_id": repo, "endpoint": endpoint, "library_name": "hqgan"}
    with _sentences(repo):
        say(f"downloading {NAME}.json from {repo} on the Hugging Face hub")
        path = Path(hf_hub_download(filename=f"{NAME}.json", **options))
        size = checkpoint.read_values(path)["bytes"]
        say(f"downloading its weights, {size / 1e6:,.1f} MB")
        hf_hub_download(filename=f"{NAME}.safetensors", **options)
    return path


@contextmanager
def _sentences(repo: str) -> Iterator[None]:
    """Whatever the hub answers, as a sentence."""
    from huggingface_hub import errors

    try:
        yield
    except errors.LocalTokenNotFoundError as error:
        raise UserError("There is no Hugging Face token here: log in by `hf auth login`, or set HF_TOKEN.") from error
    except errors.HFValidationError as error:
        raise UserError(f"{repo!r} is no repository of the hub; it reads owner/name.") from error
    except Exception as error:
        known = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.EntryNotFoundError, ConnectionError)
        # What fails below the hub's library is of httpx, under the name of the version that it came with.
        if not isinstance(error, known) and not type(error).__module__.startswith("httpx"):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"The Hugging Face hub did not do that with {repo} ({reason}): check its name, your token and the network."
        ) from error
