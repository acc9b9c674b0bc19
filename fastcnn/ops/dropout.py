"""ops.dropout: elements set to zero at random. Papers: [Srivastava2014]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import drawn, float_tensor, memory_order, number


def dropout(x, p=0.5, training=True) -> Tensor:
    """Return x with each element zeroed with probability `p` and the others scaled by 1 / (1 - p).

    Draws from the global generator (`fastcnn.manual_seed`). Returns x itself when not training or when p is 0. Saved: one
    byte per element.
    """
    x = float_tensor("dropout", "x", x)
    p = number("dropout", "p", p, 0, 1)
    if not training or p == 0.0:
        return x
    y, saved = _forward(x.data, p)
    return record("dropout", (x,), y, _backward, saved, p)


def _forward(x, case):
    order = memory_order(x)  # the mask lies in memory as x does
    kept = elementwise.dropout_mask(drawn((x.size,)), case).reshape([x.shape[i] for i in order])
    kept = kept.transpose([order.index(i) for i in range(x.ndim)])
    scale = 1 / (1 - case) if case < 1 else 0.0
    return elementwise.dropout(x, kept, scale, threads=get_num_threads()), (kept, scale)


def _backward(dy, saved, case, needs):
    kept, scale = saved
    return (elementwise.dropout(dy, kept, scale, threads=get_num_threads()),)
