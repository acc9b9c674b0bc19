"""bench.peers.torch_peer: PyTorch, each piece of work in NCHW and in channels-last memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from fastcnn import nn
from fastcnn.shapes import Conv2dCase, Pool2dCase

from . import torch_models

Work = dict[str, Callable[[], object]]
FORMATS = {"PyTorch NCHW": torch.contiguous_format, "PyTorch channels-last": torch.channels_last}


def _tensors(memory_format, *arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(np.ascontiguousarray(a)).contiguous(memory_format=memory_format) for a in arrays]


def gemm(a: np.ndarray, b: np.ndarray) -> Work:
    """Return a @ b."""
    ta, tb = torch.tensor(a), torch.tensor(b)
    return {"PyTorch": lambda: ta @ tb}


def conv2d(direction: str, x: np.ndarray, w: np.ndarray, dy: np.ndarray, case: Conv2dCase) -> Work:
    """Return one direction of a convolution with symmetric padding."""
    stride, padding, dilation = [case.sh, case.sw], [case.pt, case.pl], [case.dh, case.dw]
    mask = [direction == "backward_data", direction == "backward_weight", False]

    def forward(tx, tw, tdy):
        return lambda: torch.conv2d(tx, tw, None, stride, padding, dilation, case.groups)

    def backward(tx, tw, tdy):
        def run():
            grads = torch.ops.aten.convolution_backward(
                tdy, tx, tw, None, stride, padding, dilation, False, [0, 0], case.groups, mask
            )
            return grads[mask.index(True)]

        return run

    make = forward if direction == "forward" else backward
    return {name: make(*_tensors(memory, x, w, dy)) for name, memory in FORMATS.items()}


def max_pool2d(x: np.ndarray, dy: np.ndarray, case: Pool2dCase) -> tuple[Work, Work]:
    """Return max pooling with the index, forward and backward."""
    sizes = [case.kh, case.kw], [case.sh, case.sw], [case.ph, case.pw], [case.dh, case.dw], False

    def pair(tx, tdy):
        index = torch.ops.aten.max_pool2d_with_indices(tx, *sizes)[1]
        return (
            lambda: torch.ops.aten.max_pool2d_with_indices(tx, *sizes)[0],
            lambda: torch.ops.aten.max_pool2d_with_indices_backward(tdy, tx, *sizes, index),
        )

    pairs = {name: pair(*_tensors(memory, x, dy)) for name, memory in FORMATS.items()}
    return {name: p[0] for name, p in pairs.items()}, {name: p[1] for name, p in pairs.items()}


def avg_pool2d(x: np.ndarray, case: Pool2dCase) -> Work:
    """Return average pooling, forward."""

    def run(tx):
        return lambda: torch.nn.functional.avg_pool2d(tx, (case.kh, case.kw), (case.sh, case.sw), (case.ph, case.pw))

    return {name: run(*_tensors(memory, x)) for name, memory in FORMATS.items()}


def memory(name: str, arrays: tuple[np.ndarray, ...], eps: float) -> Work:
    """Return one of the works of bench_memory; conversions of layout have one form, the others run in both layouts."""
    if name in ("NCHW to NHWC", "NHWC to NCHW"):
        x = torch.from_numpy(arrays[0])
        target = torch.channels_last if name.endswith("NHWC") else torch.contiguous_format
        return {"PyTorch": lambda: x.contiguous(memory_format=target)}
    aten, mask = torch.ops.aten, [True, True, True]

    def make(a, b=None, c=None, d=None, e=None):
        return {
            "relu forward": lambda: torch.relu(a),
            "relu backward": lambda: aten.threshold_backward(a, b, 0),
            "batch_norm forward": lambda: aten.native_batch_norm(a, b, c, None, None, True, 0.1, eps),
            "batch_norm backward": lambda: aten.native_batch_norm_backward(
                a, b, c, None, None, d, (e + eps).rsqrt(), True, eps, mask
            ),
        }[name]

    images = [a for a in arrays if a.ndim == 4]
    rest = [torch.from_numpy(a) for a in arrays if a.ndim == 1]
    return {title: make(*_tensors(format, *images), *rest) for title, format in FORMATS.items()}


def cross_entropy(logits: np.ndarray, target: np.ndarray) -> Work:
    """Return the loss of every sample."""
    x, y = torch.tensor(logits), torch.tensor(target)
    return {"PyTorch": lambda: torch.nn.functional.cross_entropy(x, y, reduction="none")}


def _layer(module: nn.Module) -> torch.nn.Module:
    """Return PyTorch's twin of a module without children."""
    kind = type(module).__name__
    if kind == "Conv2d":
        bias = module.bias is not None
        options = {"stride": module.stride, "padding": module.padding, "dilation": module.dilation, "groups": module.groups}
        return torch.nn.Conv2d(module.in_channels, module.out_channels, module.kernel_size, bias=bias, **options)
    if kind == "Linear":
        return torch.nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
    if kind == "BatchNorm2d":
        return torch.nn.BatchNorm2d(module.num_features, eps=module.eps, momentum=module.momentum)
    if kind in ("MaxPool2d", "AvgPool2d"):
        return getattr(torch.nn, kind)(module.kernel_size, module.stride, module.padding)
    if kind in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"):
        return getattr(torch.nn, kind)(module.output_size)
    if kind == "ReLU":
        return torch.nn.ReLU(inplace=True)
    if kind == "Dropout":
        return torch.nn.Dropout(module.p)
    if kind == "Flatten":
        return torch.nn.Flatten()
    raise TypeError(f"no PyTorch twin for {kind}")


def chain(model: nn.Module) -> torch.nn.Module:
    """Return the PyTorch twin of a model whose leaves run one after the other, with the same parameters and buffers."""
    leaves = [module for _, module in model.named_modules() if not list(module.children())]
    made = torch.nn.Sequential(*(_layer(module) for module in leaves))
    ours, theirs = model.state_dict().values(), made.state_dict()
    arrays = (torch.tensor(value.numpy()) for value in ours)
    made.load_state_dict(dict(zip(theirs, arrays, strict=True)))
    return made


def twin(model: nn.Module, name: str = "", classes: int = 10) -> torch.nn.Module:
    """Return the PyTorch twin of a model: the network of that name in torch_models, else a chain of its leaves."""
    if name not in torch_models.MODELS:
        return chain(model)
    return torch_models.loaded(name, classes, {key: value.numpy() for key, value in model.state_dict().items()})


class Step:
    """One step of SGD on a fixed batch, as a user of PyTorch would write it; a call returns the loss."""

    def __init__(self, net: torch.nn.Module, memory, x: np.ndarray, y: np.ndarray, **options):
        self.net = net.train().to(memory_format=memory)
        (self.x,), self.y = _tensors(memory, x), torch.tensor(y)
        self.optimizer = torch.optim.SGD(self.net.parameters(), **options)

    def set_dropout(self, p: float | None) -> None:
        """Set the probability of all dropout layers; None brings back what the network was made with."""
        for module in self.net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.made_with = getattr(module, "made_with", module.p)
                module.p = module.made_with if p is None else p

    def __call__(self) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def train_step(model: nn.Module, name: str, classes: int, x: np.ndarray, y: np.ndarray, **options) -> dict[str, Step]:
    """Return a training step of the twin of a model in both layouts; `options` go to SGD."""
    return {title: Step(twin(model, name, classes), memory, x, y, **options) for title, memory in FORMATS.items()}


def inference(model: nn.Module, x: np.ndarray) -> Work:
    """Return the outputs of a model in evaluation mode."""

    def forward(memory):
        net = twin(model).eval().to(memory_format=memory)
        (tx,) = _tensors(memory, x)

        def run():
            with torch.inference_mode():
                return net(tx)

        return run

    return {name: forward(memory) for name, memory in FORMATS.items()}


def batches(images: np.ndarray, labels: np.ndarray, batch_size: int) -> Work:
    """Return one shuffled epoch of a DataLoader over arrays: item by item, and with whole batches of positions."""
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

    dataset = TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
    plain = DataLoader(dataset, batch_size, shuffle=True)
    whole = DataLoader(dataset, sampler=BatchSampler(RandomSampler(dataset), batch_size, False), batch_size=None)

    def epoch(loader):
        return lambda: sum(len(y) for _, y in loader)

    return {"PyTorch DataLoader": epoch(plain), "PyTorch, batches of positions": epoch(whole)}
