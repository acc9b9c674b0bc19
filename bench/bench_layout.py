"""bench.bench_layout: NHWC, NCHWc and NCHW under the same micro-kernel, and what it costs to come from NCHW and go back."""

from __future__ import annotations

import numpy as np
import pytest

from bench import check, layers, tile
from bench.limits import measure
from fastcnn import kernels, threads
from fastcnn.reference.conv2d import conv2d_forward

NAMES = ("conv3x3_64_64@56", "conv3x3_128_128@28", "conv3x3_256_256@14", "conv3x3_512_512@7")
LAYOUTS = ("NHWC", "NCHWc", "NCHW read in place, NHWC written", "NCHW converted to NHWC and back")


@pytest.fixture(scope="module")
def limits():
    """One thread is used here, also for the conversions, so the limits are those of one thread."""
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    yield measure(1)
    threads.set_num_threads(before)


def pytest_generate_tests(metafunc):
    found = [layer for layer in layers.load("resnet18") if layer.name in NAMES]
    if metafunc.config.getoption("--smoke"):
        found = [found[0]._replace(ih=6, iw=6)]
    rows = [pytest.param(layer, layout, id=f"{layer.name}-{layout}") for layer in found for layout in LAYOUTS]
    metafunc.parametrize(("layer", "layout"), rows)


@pytest.mark.benchmark(group="layout")
def test_layout(layer, layout, versus):
    case = layer.case(1)
    x, w, _ = layers.operands(case)
    # (1, ci, ih, iw) -> (ih + 2, iw + 2, ci), zeros around it
    padded = np.pad(x[0].transpose(1, 2, 0), ((1, 1), (1, 1), (0, 0)))
    width, nr = case.kw, tile.table().nr
    y = np.empty((case.oh, case.ow, case.co), np.float32)
    blocks = np.empty((case.co // nr, case.oh, case.ow, nr), np.float32)
    if layout == "NHWC":
        ours = tile.convolution(tile.nhwc(padded, width), w, y, nr, case.co)
    elif layout == "NCHWc":
        ours = tile.convolution(tile.nchwc(padded, width, nr), w, blocks, case.oh * case.ow * nr, nr)
    elif layout.startswith("NCHW read"):
        ours = tile.convolution(tile.nchw(padded, width), w, y, nr, case.co)
    else:
        inner = tile.convolution(tile.nhwc(padded, width), w, y, nr, case.co)
        plain = np.ascontiguousarray(x)

        def ours():
            kernels.to_channels_last(plain)
            inner()
            return kernels.to_contiguous(y[None].transpose(0, 3, 1, 2))

    got = ours()
    if layout == "NCHWc":
        got = got.transpose(1, 2, 0, 3).reshape(y.shape)  # (co / nr, oh, ow, nr) -> (oh, ow, co)
    got = got[0].transpose(1, 2, 0) if got.ndim == 4 else got
    wanted = conv2d_forward(x.astype(np.float64), w.astype(np.float64), None, case)[0].transpose(1, 2, 0)
    check.close(got, wanted, check.TOLERANCE["direct"], f"{layer.name} {layout}")
    versus(ours, work={"flops": 2 * case.macs}, table="Layouts, one image, one thread", row=f"{layer.name}: {layout}")
