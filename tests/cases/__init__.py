"""tests.cases: the one table of cases that reference, kernel, op and layer tests share. A bug fix starts with a row here."""

from __future__ import annotations

from .conv2d import CONV2D, CONV2D_BASIC, CONV2D_BLOCKS, CONV2D_CHANNELS, CONV2D_LAYERS, CONV2D_WIDTHS
from .images import ACTIVATION, BATCH_NORM, GROUP_NORM, IMAGES, LAYER_NORM, RELU
from .layouts import LAYOUT_ROWS, LAYOUTS, lay
from .matrices import CROSS_ENTROPY, GEMM, LOSS, SOFT, SOFTMAX
from .pool2d import ADAPTIVE, ADAPTIVE_MAX, INTERPOLATE, MAX_POOL2D, NORM_POOL2D, POOL2D
from .tails import CHANNEL_TAILS

__all__ = [
    "ACTIVATION",
    "ADAPTIVE",
    "ADAPTIVE_MAX",
    "BATCH_NORM",
    "CASES",
    "CHANNEL_TAILS",
    "CONV2D",
    "CONV2D_BASIC",
    "CONV2D_BLOCKS",
    "CONV2D_CHANNELS",
    "CONV2D_LAYERS",
    "CONV2D_WIDTHS",
    "CROSS_ENTROPY",
    "GEMM",
    "GROUP_NORM",
    "IMAGES",
    "INTERPOLATE",
    "LAYER_NORM",
    "LAYOUTS",
    "LAYOUT_ROWS",
    "LOSS",
    "MAX_POOL2D",
    "NORM_POOL2D",
    "POOL2D",
    "RELU",
    "SOFT",
    "SOFTMAX",
    "lay",
]

CASES: dict[str, dict] = {
    **dict.fromkeys(("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight", "conv2d_backward_bias"), CONV2D),
    "gemm": GEMM,
    **dict.fromkeys(("max_pool2d_forward", "max_pool2d_backward"), MAX_POOL2D),
    **dict.fromkeys(("avg_pool2d_forward", "avg_pool2d_backward"), POOL2D),
    **dict.fromkeys(("adaptive_avg_pool2d_forward", "adaptive_avg_pool2d_backward"), ADAPTIVE),
    **dict.fromkeys(("adaptive_max_pool2d_forward", "adaptive_max_pool2d_backward"), ADAPTIVE_MAX),
    **dict.fromkeys(("interpolate_forward", "interpolate_backward"), INTERPOLATE),
    **dict.fromkeys(("relu_forward", "relu_backward"), RELU),
    **dict.fromkeys(("activation_forward", "activation_backward"), ACTIVATION),
    **dict.fromkeys(("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"), BATCH_NORM),
    **dict.fromkeys([f"batch_norm_max_pool2d_{which}" for which in ("forward", "backward", "inference")], NORM_POOL2D),
    **dict.fromkeys(("group_norm_forward", "group_norm_backward"), GROUP_NORM),
    **dict.fromkeys(("layer_norm_forward", "layer_norm_backward"), LAYER_NORM),
    **dict.fromkeys(("softmax_forward", "softmax_backward"), SOFTMAX),
    **dict.fromkeys(("loss_forward", "loss_backward"), LOSS),
    **dict.fromkeys(("cross_entropy_forward", "cross_entropy_backward"), CROSS_ENTROPY),
    **dict.fromkeys(("soft_cross_entropy_forward", "soft_cross_entropy_backward"), SOFT),
    **dict.fromkeys(("to_channels_last", "to_contiguous"), IMAGES),
}
