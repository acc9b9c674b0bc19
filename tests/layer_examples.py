"""tests.layer_examples: each layer of nn with options that are not its defaults, and the shape of an input."""

import inspect

from fastcnn import nn

# Layers without a forward of one input: they are no part of a chain, and a file holds their state only.
NOT_IN_A_CHAIN = {"Module", "ModuleDict", "ModuleList", *(name for name in nn.__all__ if name.endswith("Loss"))}
IMAGES = (2, 4, 6, 8)

# name: function that makes (layer, shape of an input) pairs
EXAMPLES = {
    "AdaptiveAvgPool2d": lambda: [(nn.AdaptiveAvgPool2d((2, None)), IMAGES)],
    "AdaptiveMaxPool2d": lambda: [(nn.AdaptiveMaxPool2d(2), IMAGES)],
    "AvgPool2d": lambda: [(nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGES)],
    "BatchNorm1d": lambda: [(nn.BatchNorm1d(5, 1e-3, None), (4, 5)), (nn.BatchNorm1d(5, affine=False), (4, 5))],
    "BatchNorm2d": lambda: [(nn.BatchNorm2d(4, 1e-3, 0.3), IMAGES), (nn.BatchNorm2d(4, track_running_stats=False), IMAGES)],
    "Conv2d": lambda: [
        (nn.Conv2d(4, 6, (3, 2), (1, 2), (1, 0, 0, 1), groups=2), IMAGES),
        (nn.Conv2d(4, 2, 3, padding="same", dilation=2, bias=False), IMAGES),
    ],
    "ConvTranspose2d": lambda: [
        (nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), groups=2), IMAGES),
        (nn.ConvTranspose2d(4, 2, 3, dilation=2, bias=False), IMAGES),
    ],
    "DepthwiseSeparable": lambda: [
        (nn.DepthwiseSeparable(4, 6, stride=2), IMAGES),
        (nn.DepthwiseSeparable(4, 6, 5, norm=lambda n: nn.GroupNorm(2, n), activation=nn.SiLU), IMAGES),
    ],
    "Dropout": lambda: [(nn.Dropout(0.3), (2, 5))],
    "Dropout2d": lambda: [(nn.Dropout2d(0.3), IMAGES)],
    "ELU": lambda: [(nn.ELU(0.7), (2, 5))],
    "Flatten": lambda: [(nn.Flatten(2, 3), IMAGES)],
    "GELU": lambda: [(nn.GELU(), (2, 5)), (nn.GELU("tanh"), (2, 5))],
    "GroupNorm": lambda: [(nn.GroupNorm(2, 4, 1e-3), IMAGES), (nn.GroupNorm(4, 4, affine=False), IMAGES)],
    "Hardsigmoid": lambda: [(nn.Hardsigmoid(), (2, 5))],
    "Hardswish": lambda: [(nn.Hardswish(), (2, 5))],
    "Identity": lambda: [(nn.Identity(), (2, 5))],
    "LayerNorm": lambda: [
        (nn.LayerNorm((6, 8), 1e-3), IMAGES),
        (nn.LayerNorm(8, bias=False), IMAGES),
        (nn.LayerNorm(8, elementwise_affine=False), IMAGES),
    ],
    "LeakyReLU": lambda: [(nn.LeakyReLU(0.2), (2, 5))],
    "Linear": lambda: [(nn.Linear(5, 3), (2, 5)), (nn.Linear(5, 3, bias=False), (2, 5))],
    "LocalResponseNorm": lambda: [(nn.LocalResponseNorm(3, 0.1, 0.5, 2.0), IMAGES)],
    "LogSoftmax": lambda: [(nn.LogSoftmax(1), (2, 5))],
    "MaxPool2d": lambda: [(nn.MaxPool2d((2, 3), 2, 1, ceil_mode=True), IMAGES)],
    "ReLU": lambda: [(nn.ReLU(), (2, 5))],
    "ReLU6": lambda: [(nn.ReLU6(), (2, 5))],
    "ReflectionPad2d": lambda: [(nn.ReflectionPad2d((1, 2, 3, 0)), IMAGES)],
    "ReplicationPad2d": lambda: [(nn.ReplicationPad2d(2), IMAGES)],
    "Sequential": lambda: [(nn.Sequential(nn.Linear(5, 3), nn.Sequential(nn.ReLU())), (2, 5))],
    "SiLU": lambda: [(nn.SiLU(), (2, 5))],
    "Sigmoid": lambda: [(nn.Sigmoid(), (2, 5))],
    "Softmax": lambda: [(nn.Softmax(1), (2, 5))],
    "Softplus": lambda: [(nn.Softplus(2.0, 10.0), (2, 5))],
    "SqueezeExcitation": lambda: [
        (nn.SqueezeExcitation(4, 2), IMAGES),
        (nn.SqueezeExcitation(4, 2, nn.SiLU, nn.Hardsigmoid), IMAGES),
    ],
    "Tanh": lambda: [(nn.Tanh(), (2, 5))],
    "Upsample": lambda: [
        (nn.Upsample((9, 5)), IMAGES),
        (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), IMAGES),
        (nn.Upsample(scale_factor=(1.5, 2.0)), IMAGES),
    ],
    "ZeroPad2d": lambda: [(nn.ZeroPad2d((1, -1, 0, 2)), IMAGES)],
}


def layer_classes() -> set[str]:
    """Return the names of all classes of layers that nn exports."""
    found = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Module)}
    assert len(found) > 40
    return found
