"""fastcnn.autograd: TAPE. Tensor, recording, backward, gradient checks. Knows no operation in particular."""

from .array import FLOATS, as_array, checked_dtype
from .checkpointing import checkpoint, checkpoint_sequential
from .gradcheck import gradcheck
from .mode import enable_grad, is_grad_enabled, is_recomputing, no_grad
from .tape import Node, Pair, backward, record, takes_pairs
from .tensor import Tensor

__all__ = [
    "FLOATS",
    "Node",
    "Pair",
    "Tensor",
    "as_array",
    "backward",
    "checked_dtype",
    "checkpoint",
    "checkpoint_sequential",
    "enable_grad",
    "gradcheck",
    "is_grad_enabled",
    "is_recomputing",
    "no_grad",
    "record",
    "takes_pairs",
]
