import pytest
import torch

from hqgan.config import PRESETS, preset
from hqgan.models.build import build_critic, build_generator, figures
from hqgan.runtime.random_streams import stream

# The authors' own command for ISIC 2019, eight classes (arXiv 2506.21015).
PAPER = {
    "generator_parameters": 9_376_059,
    "quantum_parameters": 640,
    "critic_parameters": 2_822_657,
    "qubits": 16,
    "depth": 8,
    "sub_generators": 5,
}


def test_paper_has_the_papers_figures():
    assert figures(preset("paper"), 8) == PAPER
    parts = build_generator(preset("paper"), 8).parameter_groups()
    assert sum(p.numel() for p in parts["prototypes"]) == 731_784


def test_default_stays_under_a_million():
    assert figures(preset("hqgan"), 8)["generator_parameters"] <= 1_000_000


def test_control_is_of_the_same_size_and_has_the_same_critic():
    ours, control = figures(preset("hqgan"), 7), figures(preset("dcgan"), 7)
    assert ours["critic_parameters"] == control["critic_parameters"]
    assert 0.9 < control["generator_parameters"] / ours["generator_parameters"] < 1.15
    assert control["quantum_parameters"] == 0


VARIANTS = [
    *((name, {}) for name in PRESETS if name != "paper"),
    ("paper", {"generator.circuit.qubits": 4}),
    ("paper", {"generator.latent_source": "bounded", "generator.class_embedding": 128, "generator.circuit.qubits": 4}),
    ("paper", {"generator.decoder": "style2", "generator.circuit.qubits": 4}),
    ("paper", {"generator.decoder": "style2", "generator.circuit.qubits": 4, "data.size": 32}),
    (
        "paper",
        {"generator.decoder": "transposed", "generator.decoder_channels": [16, 8], "generator.circuit.qubits": 4},
    ),
    ("hqgan", {"data.size": 32}),
    ("dcgan", {"data.size": 32}),
    ("demo", {"generator.readout": "mean", "generator.sub_generators": 5}),
    ("demo", {"generator.circuit.layers": 0}),
    ("paper", {"generator.readout": "full", "generator.circuit.qubits": 4}),
]


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_every_variant_makes_images_and_learns_in_every_part(name, changes):
    config = preset(name, changes)
    torch.manual_seed(0)
    generator = build_generator(config, 3)
    critic = build_critic(config, 3, generator)
    labels = torch.tensor([0, 1, 2, 0])
    noise = torch.randn(4, generator.noise_size)
    images = generator(noise, labels)
    assert images.shape == (4, 3, config.data.size, config.data.size)
    assert images.abs().max() <= 1
    if critic is None:
        generator.loss(images.detach(), labels, stream(0, "test", 0)).backward()
    else:
        critic(generator.fake_to_critic(noise, labels), labels).sum().backward()
    parts = generator.parameter_groups()
    everything = {id(p) for p in generator.parameters()}
    assert sorted(id(p) for ps in parts.values() for p in ps) == sorted(everything), "parts are disjoint and complete"
    for part, parameters in parts.items():
        if not any(p.requires_grad for p in parameters):
            continue
        norm = sum(float(p.grad.square().sum()) for p in parameters if p.grad is not None and p.numel())
        if any(p.numel() for p in parameters):
            assert norm > 0, f"no gradient reaches {part}"


def test_labels_and_noise_change_the_image():
    torch.manual_seed(0)
    generator = build_generator(preset("demo"), 3).eval()
    noise = torch.randn(1, generator.noise_size).repeat(2, 1)
    a, b = generator(noise, torch.tensor([0, 1]))
    assert not torch.allclose(a, b)
    a, b = generator(torch.randn(2, generator.noise_size), torch.tensor([0, 0]))
    assert not torch.allclose(a, b)


def readouts_of(sites, x):
    """The circuits' readouts (B, k, M) for a feature map."""
    seen = []
    hook = sites.circuit.register_forward_hook(lambda module, inputs, output: seen.append(output))
    cells = sites(x)
    hook.remove()
    return seen[0], cells.flatten(2)


def test_paper_writes_means_at_its_sites_only():
    """The paper's sub-generators speak at 5 of 16 sites; elsewhere there is nothing."""
    sites = build_generator(preset("paper", {"generator.circuit.qubits": 3}), 2).sites
    assert sites.sites.tolist() == [0, 4, 8, 11, 15]
    readouts, cells = readouts_of(sites, torch.randn(2, 16, 4, 4))
    for k, site in enumerate(sites.sites.tolist()):
        assert torch.allclose(cells[:, k, site], readouts[:, k].mean(1))
        others = [s for s in range(16) if s != site]
        assert not cells[:, k, others].any()


def test_full_readout_lies_at_its_own_site_in_every_channel():
    sites = build_generator(preset("demo"), 2).sites
    readouts, cells = readouts_of(sites, torch.randn(2, 96, 4, 4))
    assert torch.equal(cells, readouts.transpose(1, 2))


def test_a_site_reads_its_own_cell_of_the_map():
    sites = build_generator(preset("demo"), 2).sites.eval()
    x = torch.randn(1, 96, 4, 4)
    before, _ = readouts_of(sites, x)
    x[:, :, 1, 2] += 1  # site 1 * 4 + 2
    after, _ = readouts_of(sites, x)
    assert [k for k in range(16) if not torch.equal(before[0, k], after[0, k])] == [6]


def test_circuits_start_where_the_config_says():
    paper = build_generator(preset("paper", {"generator.circuit.qubits": 4}), 2).sites.circuit.weights
    ours = build_generator(preset("hqgan"), 2).sites.circuit.weights
    assert paper.min() >= 0
    assert 0.9 < paper.max() < 1
    assert ours.min() >= 0
    assert 0.15 < ours.max() < 0.2


def test_critic_start():
    """He's weights keep the size of what passes through; torch's default shrinks it."""
    images, labels = torch.randn(16, 3, 64, 64), torch.zeros(16, dtype=torch.long)
    scores = {}
    for start in ("torch", "he"):
        torch.manual_seed(0)
        config = preset("hqgan", {"critic.start": start})
        critic = build_critic(config, 2, build_generator(config, 2))
        scores[start] = critic(images, labels).std()
    assert scores["he"] > 3 * scores["torch"]


def test_only_a_critic_with_biases_can_bound_brightness():
    """Without biases the score of a flat image is linear in its brightness (docs/lab.md)."""
    brightness = torch.linspace(0.1, 0.9, 9)
    images, labels = brightness[:, None, None, None].expand(-1, 3, 64, 64), torch.zeros(9, dtype=torch.long)
    bends = {}
    for bias in (False, True):
        torch.manual_seed(0)
        config = preset("hqgan", {"critic.bias": bias})
        critic = build_critic(config, 2, build_generator(config, 2))
        with torch.no_grad():
            bends[bias] = critic(images, labels).diff().diff().abs().max()
    assert bends[False] < 1e-5 < 1e-3 < bends[True]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_papers_start_lets_the_latent_through(seed):
    """At step 0 images deviate over latents by about 0.01, as with the authors' code; by 0.00005 with torch's start."""
    deviation = {}
    for start in ("reference", "default"):
        torch.manual_seed(seed)
        generator = build_generator(
            preset("paper", {"generator.start": start, "generator.circuit.qubits": 4}), 7
        ).eval()
        with torch.no_grad():
            images = generator(torch.randn(64, generator.noise_size), torch.zeros(64, dtype=torch.long))
        deviation[start] = images.std(0).mean().item()
    assert 0.005 < deviation["reference"] < 0.02
    assert deviation["default"] < 0.0005


def test_the_papers_start_has_its_statistics():
    torch.manual_seed(0)
    generator = build_generator(preset("paper"), 7)
    linear, convolution = generator.decoder.linear, generator.encoder.convolutions[2]
    assert torch.allclose(linear.weight.T @ linear.weight, torch.eye(2048) * 2 / 1.04, atol=1e-4)
    assert (linear.bias == 0.02).all()
    assert (convolution.bias == 0).all()
    assert convolution.weight.detach().std() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert generator.encoder.embedding.weight.detach().std() == pytest.approx(0.02, rel=0.2)
    projection = build_critic(preset("paper"), 7, generator).projection
    assert projection.weight.detach().std() == pytest.approx(512**-0.5 / 3**0.5, rel=0.02)
