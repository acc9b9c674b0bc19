"""fastcnn: trains, shrinks and runs convolutional networks on CPUs."""

from __future__ import annotations

from importlib import import_module as _import_module

from . import errors, rng
from .autograd import Tensor, enable_grad, gradcheck, is_grad_enabled, no_grad
from .rng import manual_seed
from .threads import get_num_threads, set_num_threads

__version__ = "0.1.0"
