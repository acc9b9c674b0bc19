"""bench.bench_infer: the outputs of small networks in evaluation mode, for one image and for a batch."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from bench import check, peers
from fastcnn import models

NETWORKS = {"LeNet-5": models.lenet5, "small VGG": models.vgg_small}


@pytest.mark.benchmark(group="infer")
@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("name", NETWORKS)
def test_infer(name, batch, versus, smoke, with_peers):
    batch = min(batch, 2) if smoke else batch
    fc.manual_seed(0)
    model = NETWORKS[name](num_classes=10).eval()
    x = np.random.default_rng(0).standard_normal((batch, 1, 28, 28), np.float32)
    images = fc.tensor(x)

    def ours() -> np.ndarray:
        with fc.no_grad():
            return model(images).numpy()

    one_by_one = np.concatenate([model(fc.tensor(x[i : i + 1])).numpy() for i in range(min(batch, 3))])
    check.close(ours()[: len(one_by_one)], one_by_one.astype(np.float64), check.TOLERANCE["winograd"], name)
    others = {}
    if with_peers:
        others = peers.load("torch_peer").inference(model, x) | peers.load("onnx_peer").inference(model, x)
        for other in others.values():
            check.close(ours(), np.asarray(other(), np.float64), 1e-4, name)
    versus(ours, others, work={}, table="Inference", row=f"{name}, batch {batch}")
