"""tests.kernels.test_fuzz_torch: random geometry against PyTorch in float64: convolution in three directions, and pooling."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch.nn import functional

from .. import fuzz, harness

CONVOLUTIONS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")
BLOCKS = 4


def wide(a) -> torch.Tensor:
    return torch.tensor(np.ascontiguousarray(a, dtype=np.float64))


def padded(x: torch.Tensor, case) -> torch.Tensor:
    return functional.pad(x, (case.pl, case.pr, case.pt, case.pb))


def convolution(op: str, args: tuple, case) -> torch.Tensor:
    """What PyTorch computes in float64 from the arguments of a kernel; the padding may differ on each side."""
    options = {"stride": (case.sh, case.sw), "dilation": (case.dh, case.dw), "groups": case.groups}
    if op == "conv2d_forward":
        x, w, b = args[:3]
        return functional.conv2d(padded(wide(x), case), wide(w), None if b is None else wide(b), **options)
    data = op == "conv2d_backward_data"
    dy, other = wide(args[0]), wide(args[1])
    x = torch.zeros(case.x_shape, dtype=torch.float64) if data else other
    w = other if data else torch.zeros(case.w_shape, dtype=torch.float64)
    asked = (x if data else w).requires_grad_()
    functional.conv2d(padded(x, case), w, None, **options).backward(dy)
    return asked.grad


def pooling(op: str, args: tuple, case) -> torch.Tensor:
    sizes = ((case.kh, case.kw), (case.sh, case.sw), (case.ph, case.pw))
    ceil = (case.ih + 2 * case.ph - case.dh * (case.kh - 1) - 1) // case.sh + 1 != case.oh
    ceil |= (case.iw + 2 * case.pw - case.dw * (case.kw - 1) - 1) // case.sw + 1 != case.ow
    if op == "max_pool2d_forward":
        return functional.max_pool2d(wide(args[0]), *sizes, (case.dh, case.dw), ceil)
    return functional.avg_pool2d(wide(args[0]), *sizes, ceil, case.count_include_pad)


def close(got: np.ndarray, want: np.ndarray, dtype: str, winograd: bool) -> bool:
    """Relative L2 distance; sums of up to 65 * 49 terms in float32."""
    bound = (2e-5 if winograd else 5e-6) * np.finfo(dtype).eps / np.finfo(np.float32).eps
    return np.linalg.norm(got - want) <= bound * max(np.linalg.norm(want), 1e-6)


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("op", [*CONVOLUTIONS, "max_pool2d_forward", "avg_pool2d_forward"])
def test_random_case(op, block):
    torch.set_num_threads(1)
    for number in range(block, fuzz.count(op), BLOCKS):
        case, how = fuzz.case(op, number)
        if not case.batch:
            continue  # PyTorch refuses some of the empty ones
        args = harness.arguments(op, case, how["dtype"], how["values"], how["optional"], how["seed"])
        want = (convolution if op in CONVOLUTIONS else pooling)(op, args, case).detach().numpy()
        for impl in harness.implementations(op):
            if not impl.accepts(*args):
                continue
            isa = harness.ISAS[number // BLOCKS % len(harness.ISAS)]
            got = harness.call(impl, args, isa, how["count"])[0]
            assert got.shape == want.shape, (op, impl.name, case)
            assert close(got, want, how["dtype"], harness.is_winograd(impl)), (op, impl.name, number, case, how)


def test_a_wrong_result_is_far_away():
    right = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    wrong = right.copy()
    wrong[1, 2, 3, 4] += 0.01
    assert close(right, right.astype(np.float64), "float32", False) and not close(
        wrong, right.astype(np.float64), "float32", True
    )
