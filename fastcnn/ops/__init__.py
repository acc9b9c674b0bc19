"""fastcnn.ops: CALCULUS. One differentiable operation per file: the public function, `_forward`, `_backward`."""

from . import methods  # noqa: F401  (attaches the operators to Tensor)
from .abs import abs
from .adaptive_avg_pool2d import adaptive_avg_pool2d
from .adaptive_max_pool2d import adaptive_max_pool2d
from .add import add
from .avg_pool2d import avg_pool2d
from .batch_norm import BatchNormCase, batch_norm
from .binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from .cast import cast
from .clamp import clamp
from .comparison import argmax, argmin, eq, ge, gt, le, lt, ne
from .concat import concat
from .conv2d import conv2d
from .conv_transpose2d import conv_transpose2d
from .cross_entropy import cross_entropy
from .div import div
from .dropout import dropout
from .dropout2d import dropout2d
from .elu import elu
from .exp import exp
from .flatten import flatten
from .gelu import gelu
from .getitem import getitem
from .group_norm import group_norm
from .hardsigmoid import hardsigmoid
from .hardswish import hardswish
from .huber_loss import huber_loss
from .interpolate import interpolate
from .kl_div import kl_div
from .l1_loss import l1_loss
from .layer_norm import layer_norm
from .leaky_relu import leaky_relu
from .linear import linear
from .local_response_norm import local_response_norm
from .log import log
from .log_softmax import log_softmax
from .losses import CrossEntropyCase
from .matmul import matmul
from .max import max
from .max_pool2d import max_pool2d
from .maximum import maximum
from .mean import mean
from .min import min
from .minimum import minimum
from .mse_loss import mse_loss
from .mul import mul
from .neg import neg
from .nll_loss import nll_loss
from .pad import pad
from .permute import permute
from .pow import pow
from .relu import relu
from .relu6 import relu6
from .reshape import reshape
from .shaping import chunk, split, squeeze, stack, unsqueeze
from .sigmoid import sigmoid
from .silu import silu
from .smooth_l1_loss import smooth_l1_loss
from .soft_cross_entropy import soft_cross_entropy
from .softmax import softmax
from .softplus import softplus
from .sqrt import sqrt
from .sub import sub
from .sum import sum
from .tanh import tanh
from .where import where

__all__ = [
    "BatchNormCase",
    "CrossEntropyCase",
    "abs",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "add",
    "argmax",
    "argmin",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "cast",
    "chunk",
    "clamp",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "div",
    "dropout",
    "dropout2d",
    "elu",
    "eq",
    "exp",
    "flatten",
    "ge",
    "gelu",
    "getitem",
    "group_norm",
    "gt",
    "hardsigmoid",
    "hardswish",
    "huber_loss",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "le",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "lt",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mse_loss",
    "mul",
    "ne",
    "neg",
    "nll_loss",
    "pad",
    "permute",
    "pow",
    "relu",
    "relu6",
    "reshape",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_cross_entropy",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "tanh",
    "unsqueeze",
    "where",
]
