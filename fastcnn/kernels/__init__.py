"""fastcnn.kernels: SPEED. ndarray in, ndarray out; the compiled loop nests and the choice between them."""

from .select import *  # noqa: F403
from .select import __all__  # noqa: F401
