"""tests.test_harness: wrong kernels, planted one by one, must all be caught; right ones must pass."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import threads
from fastcnn.kernels.select import Impl
from fastcnn.reference import batch_norm, conv2d, cross_entropy, group_norm, layout, loss, max_pool2d, relu, softmax
from fastcnn.reference.gemm import gemm

from . import harness
from .cases import CASES
from .problems import PROBLEMS


def last_first(y):
    """Channels-last memory for a 4-D result."""
    return layout.to_channels_last(y)


def in_float32(a, b, bias=None):
    y = a @ b
    return y if bias is None else y + bias


def edited(function, edit):
    """A kernel whose (first) output is right until `edit(y)` changes it in place."""

    def wrong(*args):
        outputs = function(*args)
        edit(outputs[0] if isinstance(outputs, tuple) else outputs)
        return outputs

    return wrong


def tail_left_out(y):
    y[..., y.shape[-1] // 8 * 8 :] = 0


def tail_off_by_one(y):
    y[..., 1:] = y[..., :-1].copy()


def last_channel_stale(y):
    y[:, -1] = y[:, 0]


def wrong_stride(x, w, b, case):
    return conv2d.conv2d_forward(x, w, b, case._replace(sh=1, sw=1))


def dropped_bias(x, w, b, case):
    return conv2d.conv2d_forward(x, w, None, case)


def padding_shifted(x, w, b, case):
    return conv2d.conv2d_forward(x, w, b, case._replace(pt=case.pb, pb=case.pt, pl=case.pr, pr=case.pl))


def rotated_weights(x, w, b, case):
    return conv2d.conv2d_forward(x, w[:, :, ::-1, ::-1], b, case)


def transposed_weights(dy, x, case):
    dw = conv2d.conv2d_backward_weight(dy, x, case)
    return last_first(dw.transpose(0, 1, 3, 2)) if case.kh == case.kw else dw


def ungrouped_order(x, w, b, case):
    y = conv2d.conv2d_forward(x, w, b, case)
    n = case.co // case.groups
    return last_first(y.reshape(case.batch, case.groups, n, case.oh, case.ow).swapaxes(1, 2).reshape(y.shape))


def input_modified(x):
    root = harness._root(x)
    root.flags.writeable = True
    y = relu.relu_forward(x)
    x[x < 0] = 0
    return y


def margin_modified(x):
    """Writes one element past the last one of its input, which only a larger buffer shows."""
    root = harness._root(x)
    if root.size > x.size:
        root.reshape(-1)[-1] = 7
    return relu.relu_forward(x)


def index_shifted(x, case):
    y, index = max_pool2d.max_pool2d_forward(x, case)
    return y, last_first((index + 1).astype(index.dtype))


def ties_to_the_last(x, case):
    """Runs the taps backwards, so the last of equal values wins."""
    y, _ = max_pool2d.max_pool2d_forward(x, case)
    flipped = case._replace(
        ph=(case.oh - 1) * case.sh + case.kh - case.ih - case.ph, pw=(case.ow - 1) * case.sw + case.kw - case.iw - case.pw
    )
    _, index = max_pool2d.max_pool2d_forward(x[:, :, ::-1, ::-1], flipped)
    return y, last_first((case.kh * case.kw - 1 - index[:, :, ::-1, ::-1]).astype(index.dtype))


def unbiased_variance(x, weight, bias, eps):
    y, mean, var = batch_norm.batch_norm_forward(x, weight, bias, eps)
    n = x.size // x.shape[1]
    return y, mean, (var * n / max(n - 1, 1)).astype(x.dtype)


def frozen_statistics(dy, x, weight, mean, var, eps):
    """Forgets that mean and var depend on x."""
    dx, dweight, dbias = batch_norm.batch_norm_backward(dy, x, weight, mean, var, eps)
    gain = (np.ones_like(var) if weight is None else weight) / np.sqrt(var + np.float32(eps))
    dx = dy * gain.reshape((1, -1, 1, 1) if dy.ndim == 4 else (1, -1))
    return (last_first(dx) if dx.ndim == 4 else dx), dweight, dbias


def unweighted_means(dy, x, groups, weight, mean, rstd):
    """Takes the means over a group of dy, not of weight * dy."""
    dx, dweight, dbias = group_norm.group_norm_backward(dy, x, groups, None, mean, rstd)
    return (dx if weight is None else last_first((dx * weight.reshape(-1, 1, 1)).astype(x.dtype))), dweight, dbias


def unsmoothed(dloss, probs, target, label_smoothing):
    return cross_entropy.cross_entropy_backward(dloss, probs, target, 0.0)


def wrong_dtype(a, b, bias=None):
    return gemm(a, b, bias).astype(np.float64)


def sloppy_accumulation(a, b, bias=None):
    return gemm(a, b, bias) * a.dtype.type(1 + 40 * np.finfo(a.dtype).eps)


def no_channels_last(x, w, b, case):
    return np.ascontiguousarray(conv2d.conv2d_forward(x, w, b, case))


def unscattered(dy, index, case):
    """Overlapping windows overwrite instead of adding."""
    dx = max_pool2d.max_pool2d_backward(dy, index, case)
    return np.minimum(dx, dy.max())


FORWARD = conv2d.conv2d_forward


def shifted_logarithm(x, logarithm=False):
    """Forgets a part of the sum of exponentials."""
    y = softmax.softmax_forward(x, logarithm)
    return y + y.dtype.type(1e-3) if logarithm else y * y.dtype.type(1.001)


def huber_without_corner(x, target, kind, p=0.0, factor=1.0, reduction="mean"):
    """The line of the Huber loss starts at zero."""
    if kind != "huber":
        return loss.loss_forward(x, target, kind, p, factor, reduction)
    return loss.loss_forward(x, target, "absolute", 0.0, p * factor, reduction)


PLANTED = {
    "shifted_logarithm": ("softmax_forward", "log_thousand", shifted_logarithm),
    "huber_without_corner": ("loss_forward", "huber-mean-vectors", huber_without_corner),
    "tail_left_out": ("conv2d_forward", "width_9", edited(FORWARD, tail_left_out)),
    "tail_off_by_one": ("conv2d_forward", "tail", edited(FORWARD, tail_off_by_one)),
    "last_channel_stale": ("conv2d_forward", "channels_17_17", edited(FORWARD, last_channel_stale)),
    "wrong_stride": ("conv2d_forward", "1x1_strided", lambda x, w, b, c: wrong_stride(x, w, b, c)[:, :, : c.oh, : c.ow]),
    "dropped_bias": ("conv2d_forward", "plain", dropped_bias),
    "padding_shifted": ("conv2d_forward", "padded_one_side", padding_shifted),
    "rotated_weights": ("conv2d_forward", "plain", rotated_weights),
    "transposed_weights": ("conv2d_backward_weight", "plain", transposed_weights),
    "ungrouped_order": ("conv2d_forward", "grouped", ungrouped_order),
    "no_channels_last": ("conv2d_forward", "plain", no_channels_last),
    "last_row_left_out": ("gemm", "tail", edited(gemm, lambda y: y[-1:].fill(0))),
    "wrong_dtype": ("gemm", "square", wrong_dtype),
    "sloppy_accumulation": ("gemm", "square", sloppy_accumulation),
    "one_element_wrong": ("gemm", "square", edited(gemm, lambda y: y[17:18, 5:6].__iadd__(1e-3))),
    "too_few_outputs": ("max_pool2d_forward", "2x2", lambda x, c: max_pool2d.max_pool2d_forward(x, c)[0]),
    "index_shifted": ("max_pool2d_forward", "2x2", index_shifted),
    "ties_to_the_last": ("max_pool2d_forward", "2x2", ties_to_the_last),
    "unscattered": ("max_pool2d_backward", "overlapping", unscattered),
    "input_modified": ("relu_forward", "vectors", input_modified),
    "unbiased_variance": ("batch_norm_forward", "images", unbiased_variance),
    "frozen_statistics": ("batch_norm_backward", "images", frozen_statistics),
    "unweighted_means": ("group_norm_backward", "images", unweighted_means),
    "unsmoothed": ("cross_entropy_backward", "ten_smoothed", unsmoothed),
}
RIGHT = {
    "gemm": ("gemm", "square", in_float32),
    "gemm_tail": ("gemm", "tail", in_float32),
    "gemm_deep": ("gemm", "deep", in_float32),
} | {f"{op}_reference": (op, next(iter(CASES[op])), harness.reference(op).function) for op in PROBLEMS}


@pytest.mark.parametrize("name", PLANTED)
def test_wrong_kernel_is_caught(name):
    op, row, function = PLANTED[name]
    with pytest.raises(AssertionError, match=rf"{op}, planted: .*\n  case="):
        harness.check_everywhere(op, Impl("planted", function), CASES[op][row])


@pytest.mark.parametrize("name", RIGHT)
def test_right_kernel_passes(name):
    op, row, function = RIGHT[name]
    harness.check_everywhere(op, Impl("right", function), CASES[op][row])


def test_write_beside_the_input_is_caught():
    impl = Impl("planted", margin_modified)
    assert harness.check("relu_forward", impl, (4, 5), layout="nhwc")
    with pytest.raises(AssertionError, match="argument 0 was changed"):
        harness.check("relu_forward", impl, (4, 5), layout="inside_larger")


def test_output_that_is_the_input_is_caught():
    impl = Impl("planted", lambda x: x)
    assert (harness.arguments("relu_forward", (1,), seed=0)[0] > 0).all()
    with pytest.raises(AssertionError, match="shares memory"):
        harness.check("relu_forward", impl, (1,), seed=0)


def test_swallowed_nan_is_caught():
    x = np.array([1, np.nan, -np.inf, 2], np.float32)
    for bad in ([1, 0, -np.inf, 2], [1, np.nan, np.nan, 2], [1, np.nan, -np.inf, np.nan], [1, np.nan, np.inf, 2]):
        for exact in (True, False):
            with pytest.raises(AssertionError):
                harness.compare("gemm", (np.array(bad, np.float32),), (x,), dtype="float32", length=1, exact=exact)


def test_sum_that_depends_on_threads_is_caught():
    def by_threads(a, b, bias=None):
        """Sums k in as many chunks as there are threads, in float32."""
        chunks = np.array_split(np.arange(a.shape[1]), threads.get_num_threads())
        return sum((a[:, k] @ b[k] for k in chunks), np.float32(0)) + bias

    case = CASES["gemm"]["deep"]
    with pytest.raises(AssertionError, match="bits depend on the thread count"):
        harness.check_threads("gemm", Impl("planted", by_threads), case)
    harness.check_threads("gemm", Impl("right", in_float32), case)


def test_imprecise_winograd_is_caught():
    def noisy(level):
        noise = np.random.default_rng(0)
        return lambda *args: last_first((FORWARD(*args) * (1 + level * noise.standard_normal())).astype(args[0].dtype))

    case = CASES["conv2d_forward"]["vgg_small"]
    with pytest.raises(AssertionError, match="relative L2 error"):
        harness.check("conv2d_forward", Impl("winograd", noisy(1e-3)), case)
    assert harness.check("conv2d_forward", Impl("winograd", noisy(1e-6)), case)


def test_refused_arguments_are_not_run():
    impl = Impl("picky", in_float32, lambda a, b, bias=None: a.dtype == np.float64)
    assert not harness.check("gemm", impl, (2, 3, 4), dtype="float32")
    assert harness.check("gemm", impl, (2, 3, 4), dtype="float64")
    never = Impl("never", in_float32, lambda *args: False)
    with pytest.raises(AssertionError, match="accepts no variant"):
        harness.check_everywhere("gemm", never, (2, 3, 4))


@pytest.mark.parametrize("which", ["input", "output"])
def test_vacuous_case_is_rejected(which):
    zeros, ones = np.zeros((20, 20), np.float32), np.ones((20, 20), np.float32)
    args, outputs = ((zeros, ones), (ones,)) if which == "input" else ((ones, ones), (zeros,))
    with pytest.raises(harness.VacuousCase, match="mostly zeros"):
        harness.reject_vacuous("gemm", args, outputs)
    harness.reject_vacuous("gemm", (ones, ones), (ones,))


def test_vacuous_scatter_is_rejected():
    dy, dx = np.ones((2, 3, 4, 4), np.float32), np.zeros((2, 3, 8, 8), np.float32)
    with pytest.raises(harness.VacuousCase, match="too little arrives"):
        harness.reject_vacuous("max_pool2d_backward", (dy,), (dx,))
    dx[:, :, ::2, ::2] = 1  # three quarters are zeros, by right: stride 2
    harness.reject_vacuous("max_pool2d_backward", (dy,), (dx,))
