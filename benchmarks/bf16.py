"""Time the layers of four presets in float32 and under bfloat16 autocast, and check that the values agree.

    taskset -c 0 python benchmarks/bf16.py --json bf16.json

Every convolution, transposed convolution and linear layer of the presets' generators and critics is run forward and backward on
one thread. Shapes, batch size and memory layout are recorded from the networks themselves, as training calls them: a critic sees
real and generated images in one batch, and its gradient penalty passes the convolutions backwards on one of the two. Times are
the processor time of this process, so that other work on the machine disturbs them little. Float32 and bfloat16 take turns, and
a row is the median of the repeats. Below 1, a ratio says that bfloat16 is faster.

Outputs and gradients are compared with float64: an error is the norm of the difference over the norm of the right values. The
script exits with 1 if one is larger than bfloat16's rounding explains.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hqgan.config import preset
from hqgan.models.build import build_critic, build_generator
from hqgan.training.state import layout

PRESETS = ("hqgan", "dcgan", "demo", "paper")
CLASSES = 7
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
LIMITS = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""Largest relative error; bfloat16 keeps 8 bits, so that each rounding is off by up to 0.4 %."""


class Backwards(nn.Module):
    """A critic's convolution passed backwards, which is how its gradient penalty differentiates it."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """The gradient by the layer's input of what has the gradient `x` by its output."""
        return F.conv_transpose2d(x, self.layer.weight, stride=self.layer.stride, padding=self.layer.padding)  # type: ignore[arg-type]


@dataclass
class Row:
    """One layer: milliseconds forward and backward, and the largest relative error, by precision."""

    preset: str
    network: str
    layer: str
    input: str
    uses: int
    forward: dict[str, float] = field(default_factory=dict)
    backward: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)

    def ratio(self) -> float:
        """Time in bfloat16 over time in float32, forward and backward together."""
        return total(self, "bf16") / total(self, "fp32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=31, help="runs of each layer in each precision")
    parser.add_argument("--presets", nargs="+", default=PRESETS, metavar="NAME")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for name in options.presets for row in measured(name, options.repeats)]
    print(table(rows))
    if options.json:
        options.json.write_text(
            json.dumps({"torch": torch.__version__, "rows": [asdict(r) for r in rows]}, indent=1) + "\n"
        )
    wrong = [r for r in rows if r.error["fp32"] > LIMITS[torch.float32] or r.error["bf16"] > LIMITS[torch.bfloat16]]
    print(f"\n{len(rows) - len(wrong)} of {len(rows)} layers give the right values in both precisions.")
    for row in wrong:
        print(f"Wrong values: {row.preset} {row.network}, {row.layer} on {row.input}: errors {row.error}.")
    sys.exit(bool(wrong))


def measured(name: str, repeats: int) -> list[Row]:
    """Each different layer of a preset, timed."""
    rows: dict[str, Row] = {}
    for network, module, given in calls(name):
        row = Row(name, network, described(module), " x ".join(map(str, given.shape)), 1)
        key = f"{row.layer} {row.input} {given.stride()} {given.dtype}"
        if key in rows:
            rows[key].uses += 1
            continue
        rows[key] = row
        row.error = errors(module, given)
        times: dict[str, list[tuple[float, float]]] = {"fp32": [], "bf16": []}
        for turn in range(repeats + 2):
            for precision, found in times.items():
                both = timed(module, given, precision)
                if turn > 1:  # the first two warm up
                    found.append(both)
        for precision, found in times.items():
            row.forward[precision] = 1000 * statistics.median(f for f, _ in found)
            row.backward[precision] = 1000 * statistics.median(b for _, b in found)
    return list(rows.values())


def calls(name: str) -> list[tuple[str, nn.Module, Tensor]]:
    """Every layer of a preset's networks with what a training step hands to it under autocast, in the order of the calls."""
    config = preset(name)
    torch.manual_seed(0)
    generator = build_generator(config, CLASSES)
    critic = build_critic(config, CLASSES, generator)
    assert critic is not None
    batch, memory = config.training.batch, layout(config.training)
    networks = {"generator": generator.to(memory_format=memory), "critic": critic.to(memory_format=memory)}
    found: list[tuple[str, nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_hook(
            lambda layer, given, _, network=network: found.append((network, layer, given[0].detach().clone()))
        )
        for network, whole in networks.items()
        for module in whole.modules()
        if isinstance(module, LAYERS)
    ]
    labels = torch.arange(batch) % CLASSES
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        images = generator(torch.randn(batch, generator.noise_size), labels).float().contiguous(memory_format=memory)
        critic(torch.cat([torch.rand_like(images) * 2 - 1, images]), labels.repeat(2))
    for hook in hooks:
        hook.remove()
    passed = [(layer, given[:batch].float()) for network, layer, given in found if network == "critic"]
    with torch.no_grad():
        found += [
            ("penalty", Backwards(layer), torch.randn_like(layer(x)))
            for layer, x in passed
            if isinstance(layer, nn.Conv2d)
        ]
    return found


def described(module: nn.Module) -> str:
    if isinstance(module, nn.Linear):
        return f"linear {module.in_features}-{module.out_features}"
    if isinstance(module, Backwards):
        return f"backwards {described(module.layer)}"
    assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    kind = "conv" if isinstance(module, nn.Conv2d) else "transposed"
    kernel, stride = "x".join(map(str, module.kernel_size)), module.stride[0]
    return f"{kind} {kernel}/{stride} {module.in_channels}-{module.out_channels}"


def run(module: nn.Module, given: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """The output and a leaf that takes the input's gradient; bfloat16 as training runs it."""
    x = given.to(given.dtype if precision == "bf16" else next(module.parameters()).dtype).detach().requires_grad_()
    module.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16", cache_enabled=False):
        return module(x), x


def timed(module: nn.Module, given: Tensor, precision: str) -> tuple[float, float]:
    """Seconds forward and backward."""
    given = given if precision == "bf16" else given.float()
    start = time.process_time()
    out, _ = run(module, given, precision)
    middle = time.process_time()
    ones = torch.ones_like(out)
    begin = time.process_time()
    out.backward(ones)
    return middle - start, time.process_time() - begin


def errors(module: nn.Module, given: Tensor) -> dict[str, float]:
    """The largest relative error of output, input gradient and weight gradient, by precision."""
    exact, direction = deepcopy(module).double(), None
    found: dict[str, list[Tensor]] = {}
    for precision, network, x in (
        ("fp64", exact, given.double()),
        ("fp32", module, given.float()),
        ("bf16", module, given),
    ):
        out, leaf = run(network, x, precision)
        if direction is None:
            # Numbers that bfloat16 holds exactly: a bias's gradient is their sum, in which most of them cancel.
            direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(0)).bfloat16()
        out.backward(direction.to(out.dtype))
        gradients = [leaf.grad, *(p.grad for p in network.parameters())]  # a penalty has no use for the bias
        found[precision] = [out.detach().double(), *(g.double() for g in gradients if g is not None)]
    right = found.pop("fp64")
    return {
        precision: max(((a - b).norm() / b.norm().clamp_min(1e-12)).item() for a, b in zip(values, right, strict=True))
        for precision, values in found.items()
    }


def total(row: Row, precision: str) -> float:
    return row.forward[precision] + row.backward[precision]


def table(rows: list[Row]) -> str:
    """Markdown: the layers, then each preset's sum over its layers, used as often as a pass uses them."""
    lines = [
        f"torch {torch.__version__}, {torch.get_num_threads()} thread, {torch.backends.cpu.get_cpu_capability()}",
        "",
        "| preset | network | layer | input | uses | forward fp32, ms | bf16 | backward fp32, ms | bf16 | ratio | error |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        lines.append(
            f"| {r.preset} | {r.network} | {r.layer} | {r.input} | {r.uses} | {r.forward['fp32']:.3f} | {r.forward['bf16']:.3f} "
            f"| {r.backward['fp32']:.3f} | {r.backward['bf16']:.3f} | {r.ratio():.2f} | {r.error['bf16']:.4f} |"
        )
    lines += ["", "| preset | layers | fp32, ms | bf16, ms | ratio |", "| --- | --- | ---: | ---: | ---: |"]
    for name in Counter(r.preset for r in rows):
        for kinds, of in (
            (("conv", "transposed", "backwards"), "convolutions"),
            (("linear",), "linear"),
            (("",), "all"),
        ):
            chosen = [r for r in rows if r.preset == name and r.layer.startswith(kinds)]
            if chosen:
                fp32, bf16 = (sum(r.uses * total(r, p) for r in chosen) for p in ("fp32", "bf16"))
                lines.append(f"| {name} | {of} | {fp32:.2f} | {bf16:.2f} | {bf16 / fp32:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
