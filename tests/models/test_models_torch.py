"""tests.models.test_models_torch: the same chains in PyTorch: outputs, loss and all gradients."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import models, nn

from ..ops.draws import real

torch = pytest.importorskip("torch")


def translated(module):
    """The PyTorch twin of a chain of layers, with its state."""
    if isinstance(module, nn.Sequential):
        twin = torch.nn.Sequential()
        for name, child in module.named_children():
            twin.add_module(name, translated(child))
        return twin
    options = {
        "Conv2d": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"),
        "Linear": ("in_features", "out_features"),
        "MaxPool2d": ("kernel_size", "stride", "padding"),
        "BatchNorm2d": ("num_features", "eps", "momentum"),
        "AdaptiveAvgPool2d": ("output_size",),
        "AdaptiveMaxPool2d": ("output_size",),
        "Dropout": ("p",),
    }
    name = type(module).__name__
    arguments = {key: getattr(module, key) for key in options.get(name, ())}
    if name in ("Conv2d", "Linear"):
        arguments["bias"] = module.bias is not None
    return getattr(torch.nn, name)(**arguments)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (models.lenet5, (3, 1, 28, 28)),
        (lambda: models.vgg_small(cfg=(8, 8, "M", 16, "M", 24)), (3, 1, 12, 12)),
        (lambda: models.vgg16_cifar(10, 3, True, dropout=0.0, cfg=(8, "M", 16, "M", 16)), (3, 3, 8, 8)),
    ],
)
def test_outputs_and_gradients(make, shape):
    ours = make().double()
    theirs = translated(ours).double()
    theirs.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in ours.state_dict().items()})
    x, target = real(*shape), np.arange(shape[0])
    loss = F.cross_entropy(ours(x), target, label_smoothing=0.1)
    other = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(target), label_smoothing=0.1)
    loss.backward()
    other.backward()
    assert loss.item() == pytest.approx(other.item(), rel=1e-9)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-6, atol=1e-9, err_msg=name)
