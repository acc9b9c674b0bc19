"""tests.bench.test_twins_torch: PyTorch's twins of our networks compute the same outputs from the same weights."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from bench import bench_train
from fastcnn import models

pytest.importorskip("torch")
import torch

from bench.peers import torch_models, torch_peer


def test_every_timed_network_has_a_twin():
    named = {step.network for step in bench_train.STEPS.values()}
    assert named - {"lenet5", "vgg_small"} == set(torch_models.MODELS)


@pytest.mark.parametrize("name", bench_train.STEPS)
def test_outputs_agree(name):
    step = bench_train.STEPS[name].small()
    fc.manual_seed(1)
    model = getattr(models, step.network)(num_classes=7).eval()
    rng = np.random.default_rng(0)
    for tensor in model.state_dict().values():  # running statistics that are not 0 and 1
        if tensor.data.ndim == 1:
            tensor.data[...] = rng.uniform(0.5, 1.5, tensor.data.shape)
    side = step.image[1] if step.network in ("lenet5", "vgg_small") else 32
    x = rng.standard_normal((2, step.image[0], side, side), np.float32)
    with torch.inference_mode(), fc.no_grad():
        theirs = torch_peer.twin(model, step.network, 7).eval()(torch.tensor(x)).numpy()
        ours = model(fc.tensor(x)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_other_weights_are_refused():
    model = models.resnet20(num_classes=10)
    with pytest.raises(RuntimeError, match="size mismatch"):
        torch_peer.twin(model, "resnet20", 7)


def test_dropout_is_switched_off_and_on():
    x, y = np.zeros((2, 3, 32, 32), np.float32), np.zeros(2, np.int64)
    model = models.vgg16_cifar(num_classes=10)
    step = torch_peer.train_step(model, "vgg16_cifar", 10, x, y, lr=0.1)["PyTorch NCHW"]
    found = [module for module in step.net.modules() if isinstance(module, torch.nn.Dropout)]
    step.set_dropout(0.0)
    assert [module.p for module in found] == [0.0, 0.0]
    step.set_dropout(None)
    assert [module.p for module in found] == [0.5, 0.5]


def test_fashion_mnist_starts_from_the_same_weights_and_learns():
    from bench import fashion_mnist as recipe
    from bench.peers.torch_fashion import Theirs

    fc.manual_seed(0)
    model = models.vgg_small(num_classes=10)
    rng = np.random.default_rng(0)
    y = np.arange(64) % 2
    x = (rng.standard_normal((64, 1, 28, 28)) + 2 * y[:, None, None, None]).astype(np.float32)
    theirs = Theirs(model, [(x, y), (x, y)], 16, 3, 0)
    with torch.inference_mode(), fc.no_grad():
        want = theirs.net.eval()(torch.tensor(x)).numpy()
        np.testing.assert_allclose(model.eval()(fc.tensor(x)).numpy(), want, rtol=1e-3, atol=1e-4)
    curves = recipe.train_both({recipe.PEER: theirs}, 3)
    assert curves[recipe.PEER][-1].accuracy >= 0.5 and theirs.schedule.last_epoch == 3 * theirs.steps
