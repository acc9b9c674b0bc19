"""bench.peers.torch_ops: the operations of bench_ops in PyTorch, in NCHW and, for images, in channels-last memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from .torch_peer import FORMATS

LABELS = torch.arange(4) % 3
FUNCTIONS: dict[str, Callable] = {
    "group_norm": lambda x, w, b: functional.group_norm(x, 32, w, b),
    "layer_norm": lambda x, w, b: functional.layer_norm(x, w.shape, w, b),
    "local_response_norm": lambda x: functional.local_response_norm(x, 5),
    "adaptive_max_pool2d": lambda x: functional.adaptive_max_pool2d(x, 5),
    "interpolate nearest": lambda x: functional.interpolate(x, scale_factor=2),
    "interpolate bilinear": lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "maximum": torch.maximum,
    "where": lambda x, y: torch.where(x > y, x, y),
    "max": torch.max,
    "softmax": lambda x: functional.softmax(x, -1),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "mse_loss": functional.mse_loss,
    "l1_loss": functional.l1_loss,
    "smooth_l1_loss": functional.smooth_l1_loss,
    "binary_cross_entropy_with_logits": lambda x, t: functional.binary_cross_entropy_with_logits(x, torch.sigmoid(t)),
    "kl_div": lambda x, t: functional.kl_div(x, t, log_target=True),
    "soft_cross_entropy": functional.cross_entropy,
    "add": torch.add,
    "mul": torch.mul,
    "relu": torch.relu,
    "linear": functional.linear,
    "conv2d": lambda x, w, b: torch.conv2d(x, w, b, padding=1),
    "batch_norm": lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
    "max_pool2d": lambda x: functional.max_pool2d(x, 2),
    "cross_entropy": lambda x: functional.cross_entropy(x, LABELS),
}


def work(name: str, values: list[np.ndarray], gradient: Callable | None) -> dict[str, Callable[[], torch.Tensor]]:
    """Return the calls that are timed: of the result, or of the gradient of the first argument, from `gradient(shape)` back."""
    images = values[0].ndim == 4
    made = {}
    for title, memory in FORMATS.items() if images else (("PyTorch", torch.contiguous_format),):
        tensors = [
            torch.tensor(np.ascontiguousarray(a)).contiguous(memory_format=memory if a.ndim == 4 else torch.contiguous_format)
            for a in values
        ]
        made[title] = call(FUNCTIONS[name], tensors, gradient, memory)
    return made


def call(function: Callable, tensors: list[torch.Tensor], gradient: Callable | None, memory) -> Callable[[], torch.Tensor]:
    if gradient is None:
        return lambda: function(*tensors)
    for t in tensors:
        t.requires_grad_()
    y = function(*tensors)
    dy = torch.tensor(gradient(tuple(y.shape)), dtype=y.dtype)
    dy = dy.contiguous(memory_format=memory) if dy.ndim == 4 else dy

    def both():
        for t in tensors:
            t.grad = None
        function(*tensors).backward(dy)
        return tensors[0].grad

    return both
