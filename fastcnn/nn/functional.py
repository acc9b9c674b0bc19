"""nn.functional: the operations under PyTorch's names, for `import fastcnn.nn.functional as F`."""

from ..ops import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    batch_norm,
    clamp,
    conv2d,
    cross_entropy,
    dropout,
    linear,
    log_softmax,
    max_pool2d,
    pad,
    relu,
    softmax,
)


def relu6(x):
    """Return x limited to [0, 6]. [Sandler2018]"""
    return clamp(x, 0.0, 6.0)


__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "batch_norm",
    "clamp",
    "conv2d",
    "cross_entropy",
    "dropout",
    "linear",
    "log_softmax",
    "max_pool2d",
    "pad",
    "relu",
    "relu6",
    "softmax",
]
