import hashlib
import pickle
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from calls import Calls
from hqgan.errors import UserError
from hqgan.metrics.distances import frechet, kernel
from hqgan.metrics.extractors import dinov2, inception, lpips, pretrained
from hqgan.metrics.record import MetricRow

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)


def test_fid_agrees_with_torch_fidelity_on_the_same_features():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 32)), rng.normal(size=(400, 32)) * 1.2 + 0.3
    module = import_module("torch_fidelity.metric_fid")
    statistics = [module.fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]
    theirs = module.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet(a, b) == pytest.approx(theirs, rel=1e-3, abs=1e-3)


def test_kid_lies_within_the_interval_of_torch_fidelity():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(500, 16)), rng.normal(size=(500, 16)) * 1.1 + 0.2
    compute = import_module("torch_fidelity.metric_kid").kid_features_to_metric
    found = compute(
        torch.from_numpy(a), torch.from_numpy(b), kid_subsets=100, kid_subset_size=200, verbose=False, rng_seed=0
    )
    mean, deviation = found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]
    assert abs(kernel(a, b) - mean) < 1.96 * deviation


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    network = inception.unloaded_inception()
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    return path


def test_inception_from_safetensors(inception_file):
    provided = inception.load(inception_file)
    extractor, classes = provided.extractor, provided.class_probabilities
    features = extractor(IMAGES)
    assert features.shape == (4, 2048)
    assert np.isfinite(features).all()
    assert features.std() > 0
    assert classes(IMAGES).sum(1) == pytest.approx(np.ones(4))
    assert (extractor(IMAGES) == features).all()
    assert extractor.hash == hashlib.sha256(inception_file.read_bytes()).hexdigest()


def test_lpips_is_a_distance_and_takes_the_given_weights(tmp_path):
    torch.manual_seed(0)
    network = import_module("torchvision.models").alexnet(weights=None)
    features = {k: v for k, v in network.state_dict().items() if k.startswith("features.")}
    save_file(features, tmp_path / "alexnet.safetensors")
    distance = lpips.load(tmp_path / "alexnet.safetensors").image_distance
    assert distance(IMAGES, IMAGES) == pytest.approx(np.zeros(4))
    assert (distance(IMAGES[:2], IMAGES[2:]) > 1e-4).all()
    inner = lpips.lpips(tmp_path / "alexnet.safetensors")
    assert torch.equal(getattr(inner.net.slice1, "0").weight, network.features[0].weight)


@pytest.mark.slow
def test_dinov2_from_safetensors(tmp_path):
    network = import_module("timm").create_model(
        "vit_small_patch14_dinov2", img_size=224, num_classes=0, dynamic_img_size=True
    )
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    features = dinov2.load(tmp_path / "model.safetensors").extractor(IMAGES)
    assert features.shape == (4, 384)
    assert np.isfinite(features).all()


def test_without_weights_each_metric_says_so_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: pytest.fail("a download"))
    found = pretrained.PretrainedNetworks({}, tmp_path, False)
    assert found.extractors == []
    assert [MetricRow(*metric).key for *metric, _ in found.missing] == [
        "fid_inception", "kid_inception", "inception_score", "fd_dinov2", "kd_dinov2", "lpips_within",
    ]  # fmt: skip
    assert "--weights inception=FILE, or allow --download (91 MB" in found.missing[0][2]


def test_a_download_is_announced_checked_and_kept(tmp_path, monkeypatch):
    said = []
    offer = {"url": (tmp_path / "served.bin").as_uri(), "sha256": hashlib.sha256(b"abc").hexdigest()}
    row = replace(pretrained.PRETRAINED["inception"], what="a network", megabytes=1, **offer)
    monkeypatch.setitem(pretrained.PRETRAINED, "inception", row)
    with pytest.raises(pretrained.UnavailableError, match="could not be fetched .* give --weights inception=FILE"):
        pretrained.weights("inception", {}, tmp_path, True, Calls(said.append))
    (tmp_path / "served.bin").write_bytes(b"abd")
    with pytest.raises(pretrained.UnavailableError, match="another SHA-256"):
        pretrained.weights("inception", {}, tmp_path, True, Calls(said.append))
    assert not list((tmp_path / "weights").iterdir())
    (tmp_path / "served.bin").write_bytes(b"abc")
    kept = pretrained.weights("inception", {}, tmp_path, True, Calls(said.append))
    assert kept.read_bytes() == b"abc"
    assert all(line.startswith("downloading a network, 1 MB, from file:") for line in said)
    (tmp_path / "served.bin").unlink()
    assert pretrained.weights("inception", {}, tmp_path, False, Calls(said.append)) == kept


class Evil:
    def __reduce__(self):
        return print, ("unpickled!",)


def test_strange_weights_are_refused_unread(tmp_path, capsys):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="not read, for such a file can hold a program"):
        inception.load(tmp_path / "evil.pth")
    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="cannot be read"):
        inception.load(tmp_path / "evil.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="of another network"):
        inception.load(tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="no network 'vgg'"):
        pretrained.weights("inception", {"vgg": tmp_path}, tmp_path, False)
    assert "unpickled!" not in capsys.readouterr().out
