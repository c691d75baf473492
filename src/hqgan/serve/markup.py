"""Turns results into HTML. Images are embedded, so that no file is served; every text from outside is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from hqgan.circuits.ansatz import Ansatz
from hqgan.io.images import png
from hqgan.report.blocks import Picture
from hqgan.serve.circuit import OnBackend
from hqgan.serve.real import Near
from hqgan.wording import plural

PATIENTS = "The right image of each pair shows a real patient: the licence of the data decides who may see it."
PROCEDURAL = (
    "The right image of each pair is a training image. This data set is procedural, so it shows no real person."
)

MOST_COLUMNS = 32
"""Most columns of a table of readouts; a circuit can return hundreds of probabilities."""


def picture(image: np.ndarray, alt: str) -> str:
    """One image (S, S, 3) uint8."""
    side = image.shape[0]
    return f'<img src="{uri(png(image), "image/png")}" width="{side}" height="{side}" alt="{escape(alt)}">'


def uri(data: bytes, kind: str) -> str:
    """A file as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def note(text: str) -> str:
    """A note in small grey type."""
    return f'<p class="hq-note">{escape(text)}</p>'


def _about(text: str) -> str:
    """A description of what is shown; screen readers announce it when it changes."""
    return f'<p class="hq-about" role="status">{escape(text)}</p>'


def refusal(text: str) -> str:
    """The sentence that is shown instead of a refused request; screen readers announce it."""
    return f'<p class="hq-refusal" role="alert">{escape(text)}</p>'


def grid(images: np.ndarray, name: str, about: str, *, opens: bool = True) -> str:
    """Generated images of a class, in order. With `opens`, each is a button that shows its circuit."""
    cells = []
    for i, image in enumerate(images):
        shown = picture(image, f"Generated {name}, image {i}")
        if opens:
            shown = f'<button type="button" data-image="{i}" aria-label="Image {i}: see its circuit">{shown}</button>'
        cells.append(f"<li>{shown}<span>{i}</span></li>")
    return f'{_about(about)}<ol class="hq-grid" start="0">{"".join(cells)}</ol>'


def row(images: np.ndarray, about: str, ends: tuple[int, int]) -> str:
    """Frames of the interpolation between two images."""
    last = len(images) - 1
    cells = []
    for i, image in enumerate(images):
        text = f"image {ends[0]}" if i == 0 else f"image {ends[1]}" if i == last else f"{i / last:.0%}"
        cells.append(f"<li>{picture(image, f'Frame {i + 1} of {last + 1}')}<span>{text}</span></li>")
    return f'{_about(about)}<ol class="hq-grid">{"".join(cells)}</ol>'


def pairs(
    images: np.ndarray, near: Sequence[Near], audited: Sequence[bool], name: str, about: str, caution: str
) -> str:
    """Generated images, each beside its nearest training image.

    Args:
        images: (N, S, S, 3) generated images.
        near: the nearest training image of each.
        audited: whether the run's audit flagged it.
        name: class of the generated images.
        about: description of what is shown.
        caution: a sentence on whom the real images show.
    """
    cells = []
    for i, (image, other, known) in enumerate(zip(images, near, audited, strict=True)):
        why = other.closest.why or ("the run's audit" if known else "")
        flag = f'<strong class="hq-flag">flagged: {escape(why)}</strong>' if why else "not flagged"
        cells.append(
            f'<li class="hq-pair"><div>{picture(image, f"Generated {name}, image {i}")}'
            f"{picture(other.image, f'Real training image nearest to image {i}, class {other.name}')}</div>"
            f"<span>{i} and the nearest {escape(other.name)}: they differ by {other.grey_levels:.0f} grey levels</span>"
            f"<span>ratio {other.closest.ratio:.2f} in {escape(other.closest.space)}, {flag}</span></li>"
        )
    rule = (
        "Ratio: distance to the nearest training lesion divided by the distance to the second nearest. As in hqgan audit, copies "
        "and ratios below a third are flagged. An image that is not flagged may still be copied in part."
    )
    return f'{_about(about)}{note(caution)}<ul class="hq-pairs">{"".join(cells)}</ul>{note(rule)}'


def circuit(
    exact: np.ndarray,
    other: OnBackend | None,
    called: str,
    ansatz: Ansatz,
    readouts: Iterable[np.ndarray],
    drawing: tuple[bytes, str],
    about: str,
) -> str:
    """One image, the same image on another backend, its readouts and its circuit.

    Args:
        exact: the image by the exact simulator.
        other: the image on the other backend; None if there is none.
        called: the name of that backend on the page.
        ansatz: the circuit.
        readouts: (k, M) of each circuit layer.
        drawing: the circuit as SVG and as text.
        about: description of what is shown.
    """
    shown = (
        f"<figure>{picture(exact, 'The image by the exact simulator')}<figcaption>exact simulator</figcaption></figure>"
    )
    if other is not None:
        shown += (
            f"<figure>{picture(other.image, f'The same image by {called}')}<figcaption>{escape(called)}</figcaption></figure>"
            f"<p>Readouts differ by {other.mean:.3f} on average and by {other.largest:.3f} at most (their range is "
            f"{1 if ansatz.probabilities else 2}). The images differ by {other.grey_levels:.1f} grey levels on average.</p>"
        )
    svg, text = drawing
    image = f'<img class="hq-figure" src="{uri(svg, "image/svg+xml")}" alt="{escape(text)}">'
    layers = f"{plural(ansatz.qubits, 'qubit')}, {plural(ansatz.layers, 'layer')}"
    parts = [
        f'{_about(about)}<div class="hq-beside">{shown}</div>',
        *(_readouts(values, ansatz) for values in readouts),
        f'<h2>The circuit: {layers}</h2><div class="hq-wide" tabindex="0" role="region" aria-label="The circuit">{image}</div>',
        note(
            "Qubit 0 is the top line. The shaded layer is repeated, with its own weights each time; x depends on the noise."
        ),
    ]
    return "".join(parts)


def _readouts(values: np.ndarray, ansatz: Ansatz) -> str:
    """A table (k, M), each cell coloured by its value."""
    kept = values[:, :MOST_COLUMNS]
    names = list(ansatz.readout) if not ansatz.probabilities else [f"p{i}" for i in range(values.shape[1])]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names[:MOST_COLUMNS])
    body = []
    for i, line in enumerate(kept):
        cells = "".join(
            f'<td style="--v:{min(abs(float(v)), 1):.2f}" class="{"hq-plus" if v >= 0 else "hq-minus"}">{v:+.2f}</td>'
            for v in line
        )
        body.append(f'<tr><th scope="row">{i}</th>{cells}</tr>')
    more = values.shape[1] - kept.shape[1]
    caption = (
        f"One row for each circuit, one for each readout{f'; {more:,} columns are not shown' if more > 0 else ''}."
    )
    return (
        '<h2>Readouts of this image</h2><div class="hq-wide" tabindex="0" role="region" aria-label="Readouts"><table>'
        f'<caption>{caption}</caption><thead><tr><th scope="col"><span class="hq-unseen">circuit</span></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def side_by_side(grids: Sequence[tuple[str, str]]) -> str:
    """Named grids, side by side if there is room."""
    parts = [f"<section><h2>{escape(name)}</h2>{shown}</section>" for name, shown in grids]
    return f'<div class="hq-two">{"".join(parts)}</div>'


def curves(name: str, images: int, pictures: Sequence[Picture]) -> str:
    """Training curves of a run."""
    about = f"{name}: {images:,} real images shown so far. The page refreshes every few seconds."
    if not pictures:
        return f"{_about(about)}{note('There are too few points for a curve yet.')}"
    figures = "".join(
        f'<figure><div class="hq-wide" tabindex="0" role="region" aria-label="{escape(one.text)}"><img class="hq-figure" '
        f'src="{uri(one.source.encode(), "image/svg+xml")}" alt="{escape(one.text)}"></div>'
        f"<figcaption>{escape(one.text)}</figcaption></figure>"
        for one in pictures
    )
    return f'{_about(about)}<div class="hq-curves">{figures}</div>'


def link(name: str, data: bytes, images: int) -> str:
    """A link to a zip file that is embedded in the page."""
    size = f"{len(data) / 1e3:,.0f} kB"
    return (
        f'<a class="hq-link" download="{escape(name)}" href="{uri(data, "application/zip")}">{escape(name)}</a> '
        f"<span>{plural(images, 'image')}, manifest.csv and MODEL_CARD.md, {size}</span>"
    )
