"""`hqgan export` and `hqgan push`: what others take from here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hqgan.cli.console import bar, say, show
from hqgan.errors import UserError
from hqgan.wording import listed

app = typer.Typer()


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a checkpoint's .json.")],
    out: Annotated[Path, typer.Argument(help="A new folder: OUT/train/CLASS/FILE, and so on.")],
    balanced: Annotated[bool, typer.Option("--balanced", help="Fill every class up to the largest.")] = False,
    class_: Annotated[list[str] | None, typer.Option("--class", help="NAME=COUNT, as often as needed.")] = None,
    data: Annotated[str, typer.Option("--data", help="Where the real images lie. (default: the run's own)")] = "",
    originals: Annotated[
        Literal["resized", "copy", "link"],
        typer.Option("--originals", help="Real images at the generated ones' size, or their files."),
    ] = "resized",
    drop_copies: Annotated[
        Path | None, typer.Option("--drop-copies", help="Leave out what `hqgan audit` flagged: its flagged.csv.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the generated images.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda ...")] = "auto",
) -> None:
    """A training folder that torchvision, timm and Hugging Face datasets read: real images, generated ones added."""
    from rich.table import Table

    from hqgan.evaluation.evaluate import data_of
    from hqgan.run.train import resolve_device
    from hqgan.sampling import export as exporting
    from hqgan.sampling.dataset import lacking
    from hqgan.sampling.generate import counts_by_class, read_dropped
    from hqgan.sampling.load import load

    if balanced and class_:
        raise UserError("--balanced and --class say how many images are added; give one of them.")
    loaded = load(run, str(resolve_device(device)), say)
    if drop_copies and loaded.config.private:
        raise UserError(f"{run} was trained privately; --drop-copies would choose its images by looking at real ones.")
    with bar("decoding") as update:
        real, split = data_of(loaded, data or None, update)
    if balanced:
        counts = lacking(real.labels[split.train], real.classes)
    else:
        counts = counts_by_class(loaded.classes, None, class_) if class_ else {}
    dropped = read_dropped(drop_copies, loaded.checkpoint_hash) if drop_copies else frozenset()
    place = Path(data or loaded.config.data.path)
    with bar("images") as update:
        found = exporting.export(
            loaded, real, split, place if place.is_dir() else None, counts, out,
            originals=originals, seed=seed, dropped=dropped, progress=update,
        )  # fmt: skip
    table = Table("class", "train, real", "train, generated", "validation", "test")
    for name in real.classes:
        row = [found["train"][name][0], found["train"][name][1], found["validation"][name][0], found["test"][name][0]]
        table.add_row(name, *(f"{n:,}" for n in row))
    show(table)
    bare = [f"{name} ({side})" for side in found for name, counts_ in found[side].items() if not sum(counts_)]
    if bare:
        say(f"no image of {listed(bare)}: the folder is there, empty, and ImageFolder takes it with allow_empty=True")
    print(f"The folder is {out}; metadata.csv in each side says which images are generated. Test on real ones alone.")
    if originals != "resized":
        size = loaded.config.data.size
        print(
            f"Generated images are {size}x{size} pixels, real ones as they were: a network can tell them by sharpness."
        )


@app.command()
def push(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a checkpoint's .json.")],
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face hub; made where missing.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it; else it is made private.")] = False,
) -> None:
    """Upload weights, config and model card to the Hugging Face hub; `hqgan generate hf:OWNER/NAME` uses them."""
    from hqgan.run.train import last_evaluation
    from hqgan.sampling import hub
    from hqgan.sampling.load import load
    from hqgan.sampling.model_card import model_card

    loaded = load(run, say=say)
    metrics = last_evaluation(loaded.path.parent.parent)

    def card(sha256: str) -> str:
        return model_card(loaded.config, loaded.classes, loaded.values, sha256, metrics)

    print(f"It is at {hub.push(loaded.path, card, repo, public=public, say=say)}.")
