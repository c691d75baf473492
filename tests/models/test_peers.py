"""The peers against their papers: circuits against PennyLane, the rest against what the papers say of it."""

import math

import numpy as np
import pennylane as qml
import pytest
import torch

from hqgan.circuits.engines.dispatch import simulate
from hqgan.config import preset
from hqgan.models.baselines.latentqgan import latentqgan_ansatz
from hqgan.models.baselines.mosaiq import components_of, mosaiq_ansatz
from hqgan.models.baselines.pqwgan import pqwgan_ansatz
from hqgan.models.build import build_critic, build_generator, figures
from hqgan.reporter import SILENT
from hqgan.runtime.random_streams import stream


def theirs(circuit, qubits, angles, weights):
    """What a PennyLane circuit gives, one latent and one set of weights at a time."""
    node = qml.QNode(circuit, qml.device("default.qubit", wires=qubits))
    return np.array([[node(x, w) for x, w in zip(row, weights, strict=True)] for row in angles])


def drawn(ansatz, seed=0, batch=3, circuits=2):
    rng = torch.Generator().manual_seed(seed)
    angles = torch.rand(batch, circuits, ansatz.qubits, generator=rng, dtype=torch.float64)
    return angles, 3 * torch.rand(circuits, *ansatz.weight_shape, generator=rng, dtype=torch.float64)


def given_ancilla(probabilities):
    kept = probabilities[..., : probabilities.shape[-1] // 2]
    return kept / kept.sum(-1, keepdims=True)


@pytest.mark.parametrize(("pixels", "layers"), [(8, 1), (16, 3), (256, 6)])
def test_pqwgans_circuit_is_pennylanes(pixels, layers):
    ansatz = pqwgan_ansatz(pixels, layers)
    assert 2 ** (ansatz.qubits - 1) == pixels

    def circuit(x, w):
        qml.AngleEmbedding(x, wires=range(ansatz.qubits), rotation="Y")
        for layer in w:
            for wire, rotation in enumerate(layer):
                qml.Rot(*rotation, wires=wire)
            for wire in range(ansatz.qubits - 1):
                qml.CNOT([wire, wire + 1])
        return qml.probs(wires=range(ansatz.qubits))

    angles, weights = drawn(ansatz)
    expected = given_ancilla(theirs(circuit, ansatz.qubits, angles.numpy(), weights.numpy()))
    np.testing.assert_allclose(simulate(ansatz, angles, weights).numpy(), expected, atol=1e-9)
    single = simulate(ansatz, angles.float(), weights.float()).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-5)


@pytest.mark.parametrize(("qubits", "layers"), [(5, 6), (3, 2)])
def test_mosaiqs_circuit_is_pennylanes(qubits, layers):
    ansatz = mosaiq_ansatz(qubits, layers)

    def circuit(x, w):
        for wire in range(qubits):
            qml.RY(x[wire], wire)
            qml.RX(x[wire], wire)
        for layer in w:
            for wire in range(qubits):
                qml.RY(layer[wire, 0], wire)
            for wire in range(qubits - 1):
                qml.CZ([wire, wire + 1])
        return [qml.expval(qml.PauliX(wire)) for wire in range(qubits)]

    angles, weights = drawn(ansatz)
    expected = theirs(circuit, qubits, angles.numpy(), weights.numpy())
    np.testing.assert_allclose(simulate(ansatz, angles, weights).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(simulate(ansatz, angles.float(), weights.float()).numpy(), expected, atol=1e-5)


def test_latentqgans_circuit_is_pennylanes():
    ansatz = latentqgan_ansatz(3, 7)
    assert ansatz.parameters == 28, "5 of them have the paper's 140"

    def circuit(x, w):
        for wire in range(4):
            qml.RY(x[wire], wire)
        for layer in w:
            for wire in range(4):
                qml.RY(layer[wire, 0], wire)
            for wire in range(3):
                qml.CZ([wire, wire + 1])
        return qml.probs(wires=range(4))

    angles, weights = drawn(ansatz)
    expected = given_ancilla(theirs(circuit, 4, angles.numpy(), weights.numpy()))
    np.testing.assert_allclose(simulate(ansatz, angles, weights).numpy(), expected, atol=1e-9)


def test_mosaiqs_components_are_the_papers():
    made = components_of(8, 5)
    assert made[0] == [0, 39, 38, 37, 36]
    assert made[7] == [7, 11, 10, 9, 8]
    assert sorted(c for row in made for c in row) == list(range(40))


def test_mosaiqs_features_are_principal_components():
    """Scaled components of the images that they come from, checked against scikit-learn, and back to the images."""
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    basis = rng.standard_normal((10, 3 * 32 * 32))
    images = torch.tensor(0.02 * rng.standard_normal((60, 10)) @ basis, dtype=torch.float32).reshape(60, 3, 32, 32)
    labels = torch.arange(60) % 2
    generator = build_generator(preset("mosaiq", {"data.size": 32}), 2)
    generator.fit(images, labels, 0, SILENT)
    mine = labels == 1
    features = generator.real_to_critic(images[mine], labels[mine]).reshape(-1, 3, 40)
    pca = PCA(10, svd_solver="full").fit(images[mine, 2].flatten(1).numpy())
    scores = pca.transform(images[mine, 2].flatten(1).numpy())
    scaled = 2 * (scores - scores.min(0)) / np.ptp(scores, 0) - 1
    for found, expected in zip(features[:, 2, :10].numpy().T, scaled.T, strict=True):
        assert min(np.abs(found - expected).max(), np.abs(found + expected).max()) < 1e-3
    assert features.amin() > -1 - 1e-5
    assert features.amax() < 1 + 1e-5
    # Real features in place of drawn ones give the real images back.
    generator.fake_to_critic = lambda noise, labels: generator.real_to_critic(images[mine], labels)
    back = generator(torch.zeros(30, generator.noise_size), labels[mine])
    np.testing.assert_allclose(back, images[mine].clamp(-1, 1), atol=1e-4)


def test_mosaiqs_gradient_reaches_the_circuits():
    """Their published code cuts it."""
    config = preset("mosaiq", {"data.size": 32})
    torch.manual_seed(0)
    generator = build_generator(config, 2)
    critic = build_critic(config, 2, generator)
    labels = torch.tensor([0, 1, 0])
    critic(generator.fake_to_critic(torch.randn(3, generator.noise_size), labels), labels).sum().backward()
    for layer in generator.circuits:
        assert layer.weights.grad.abs().amax((1, 2, 3)).gt(0).all()


def test_pqwgans_patches_are_rows_with_a_white_pixel_each():
    torch.manual_seed(0)
    generator = build_generator(preset("pqwgan", {"data.size": 32}), 2)
    images = generator(torch.randn(2, generator.noise_size), torch.tensor([1, 0]))
    patches = images.detach().reshape(2, 3, 16, 64)
    assert torch.allclose(patches.amax(3), torch.ones(2, 3, 16))
    assert patches.amin() >= -1


def test_a_class_has_circuits_of_its_own():
    torch.manual_seed(0)
    generator = build_generator(preset("pqwgan", {"data.size": 32, "generator.layers": 1}), 3)
    labels = torch.tensor([2, 0, 2])
    noise = torch.randn(3, generator.noise_size)
    images = generator(noise, labels)
    for i in range(3):
        torch.testing.assert_close(generator(noise[i : i + 1], labels[i : i + 1])[0], images[i])
    images[[0, 2]].sum().backward()
    moved = [layer.weights.grad is not None and bool(layer.weights.grad.any()) for layer in generator.circuits]
    assert moved == [False, False, True]


def test_latentqgans_latent_is_of_shares():
    torch.manual_seed(0)
    generator = build_generator(preset("latentqgan", {"data.size": 32}), 2)
    labels = torch.tensor([0, 1])
    real = generator.real_to_critic(torch.rand(2, 3, 32, 32), labels).view(2, 15, 8)
    made = generator.fake_to_critic(torch.randn(2, generator.noise_size), labels).view(2, 15, 8)
    for latent in (real, made):
        assert latent.min() >= 0
        torch.testing.assert_close(latent.sum(2), torch.ones(2, 15))


def test_the_autoencoder_learns():
    torch.manual_seed(0)
    colours = torch.rand(200, 3, 1, 1).mul(2).sub(1).expand(-1, -1, 32, 32).contiguous()
    generator = build_generator(preset("latentqgan", {"data.size": 32, "generator.autoencoder_steps": 200}), 1)
    before = (generator.autoencoder.decode(generator.autoencoder.encode(colours)) - colours).square().mean()
    generator.fit(colours, torch.zeros(200, dtype=torch.long), 0, SILENT)
    after = (generator.autoencoder.decode(generator.autoencoder.encode(colours)) - colours).square().mean()
    assert after < 0.3 * before
    assert not any(p.requires_grad for p in generator.autoencoder.parameters())


def test_demodulation_is_that_of_the_weights():
    """Scaling activations is the paper's scaling of weights (arXiv 1912.04958, equations 1 to 3)."""
    from hqgan.models.baselines.style import Modulated

    torch.manual_seed(0)
    layer = Modulated(6, 4, 5).double()
    x, w = torch.randn(3, 4, 8, 8, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    styles = layer.style(w)
    for i in range(3):
        weight = layer.weight * layer.scale * styles[i][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = torch.nn.functional.conv2d(x[i : i + 1], weight, layer.bias, padding=1)
        expected = math.sqrt(2) * torch.nn.functional.leaky_relu(expected, 0.2)
        torch.testing.assert_close(layer(x, w)[i : i + 1], expected)


def test_a_gain_may_go_into_the_weights():
    """The residual critic's blocks as the papers have them: the gain after each leaky ReLU, then a mean of two ways."""
    config = preset("stylegan2-ada", {"data.size": 32})
    critic = build_critic(config, 2, build_generator(config, 2)).double()
    for bias in (p for name, p in critic.named_parameters() if name.endswith("bias")):
        torch.nn.init.normal_(bias)
    functional, gain = torch.nn.functional, math.sqrt(2)

    def convolved(x, layer):
        weight = layer.weight / math.sqrt(layer.weight[0].numel())
        return functional.conv2d(x, weight, layer.bias, padding=weight.shape[2] // 2)

    def activated(x):
        return gain * functional.leaky_relu(x, 0.2)

    seen = []
    critic.last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][:, :-1]))
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    critic(images, torch.tensor([0, 1, 0, 1]))
    x = activated(convolved(images, critic.colours))
    for first, second, skip in zip(critic.firsts, critic.seconds, critic.skips, strict=True):
        main = functional.avg_pool2d(activated(convolved(activated(convolved(x, first)), second)), 2)
        x = (main + convolved(functional.avg_pool2d(x, 2), skip)) / gain
    torch.testing.assert_close(seen[0], x)


def test_enlarging_is_nearest_neighbours_then_a_convolution():
    from hqgan.models.baselines.lightweight import Enlarge, Gate

    layer, x = Enlarge(4, 6).double(), torch.randn(2, 4, 5, 5, dtype=torch.float64)
    large = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    expected = torch.nn.functional.conv2d(large, layer.weight, padding=1)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(Gate()(expected), torch.nn.functional.glu(expected, 1))


def test_path_lengths_are_those_of_the_jacobian():
    torch.manual_seed(0)
    changes = {"data.size": 32, "generator.channels": [8, 8, 8, 8, 8], "generator.style": 6, "generator.latent": 4}
    generator = build_generator(preset("stylegan2-ada", changes), 2).double()
    noise, labels = torch.randn(2, 4, dtype=torch.float64), torch.tensor([0, 1])
    direction = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    measured = generator.path_lengths(noise, labels, direction)
    penalty = generator.path_penalty(measured, measured.mean().item())
    w = generator.styles(noise, labels).detach()
    lengths = []
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda v: generator.synthesise(v[None])[0], w[i])
        lengths.append(torch.einsum("chwk,chw->k", jacobian, direction[i]).norm() / 32)
    lengths = torch.stack(lengths)
    mean = 0.01 * lengths.mean()
    torch.testing.assert_close(generator.path_mean, mean)
    torch.testing.assert_close(penalty, (lengths - mean).square().mean())


def test_diffusion_finds_the_image_when_it_knows_the_noise():
    """DDIM with a perfect network gives the image back, and the schedule goes from image to noise."""
    torch.manual_seed(0)
    generator = build_generator(preset("ddpm", {"data.size": 32, "generator.sampling_steps": 10}), 2)
    assert generator.kept[0] > 0.99
    assert generator.kept[-1] < 1e-3
    image = torch.rand(1, 3, 32, 32) * 1.6 - 0.8

    class Perfect(torch.nn.Module):
        def forward(self, x, times, labels):
            kept = generator.kept[times][:, None, None, None]
            return (kept.sqrt() * x - image) / (1 - kept).sqrt()

    generator.network = Perfect()
    found = generator(torch.randn(1, generator.noise_size), torch.tensor([0]))
    torch.testing.assert_close(found, image, atol=1e-3, rtol=0)


def test_diffusion_learns_one_image():
    torch.manual_seed(0)
    changes = {
        "data.size": 32,
        "generator.channels": [32, 32],
        "generator.sampling_steps": 10,
        "generator.timesteps": 50,
    }
    generator = build_generator(preset("ddpm", changes), 1)
    image = torch.tensor([0.6, -0.4, 0.1])[:, None, None].expand(8, 3, 32, 32)
    optimiser, source = torch.optim.Adam(generator.parameters(), 5e-3), stream(0, "test", 0)
    for _ in range(150):
        optimiser.zero_grad()
        generator.loss(image, torch.zeros(8, dtype=torch.long), source).backward()
        optimiser.step()
    with torch.no_grad():
        made = generator.eval()(torch.randn(2, generator.noise_size), torch.zeros(2, dtype=torch.long))
    assert (made.mean((2, 3)) - image[:2].mean((2, 3))).abs().max() < 0.15


def test_a_twin_has_the_circuits_count_of_weights():
    ours, twin, frozen = (figures(preset(name), 7) for name in ("hqgan", "hqgan-mlp", "hqgan-frozen"))
    assert abs(twin["generator_parameters"] - ours["generator_parameters"]) < 0.001 * ours["generator_parameters"]
    branch = build_generator(preset("hqgan-mlp"), 7).parameter_groups()["circuit"]
    assert abs(sum(p.numel() for p in branch) - ours["quantum_parameters"]) <= 16
    assert twin["quantum_parameters"] == 0
    assert frozen["qubits"] == 8


def test_moment_noise_has_the_moments_and_nothing_of_the_latent():
    torch.manual_seed(0)
    branch = build_generator(preset("hqgan-noise"), 2).sites.circuit
    angles = 0.3 + torch.randn(4096, 16, 8) * torch.linspace(0.1, 1, 8)
    with torch.no_grad():
        wanted = branch.circuits(angles)
        made = branch(angles, torch.randn(4096, branch.noise_size))
    torch.testing.assert_close(made.mean(0), wanted.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(made.std(0), wanted.std(0), atol=0.05, rtol=0)
    branch.eval()
    noise = torch.randn(2, branch.noise_size)
    assert torch.equal(branch(angles[:2], noise), branch(angles[2:4], noise))


def test_the_removed_branch_leaves_its_channels_to_the_other():
    whole, without = build_generator(preset("hqgan"), 2), build_generator(preset("hqgan-none"), 2)
    assert without.circuits == []
    assert without.classical[-1].out_channels == 160
    assert whole.classical[-1].out_channels == 128
    classical, quantum = without.branches(torch.randn(1, without.noise_size), torch.tensor([0]))
    assert quantum.shape == (1, 0, 8, 8)
    assert math.isfinite(classical.sum().item())
