"""fastcnn.kernels: SPEED. ndarray in, ndarray out; the compiled loop nests and the choice between them."""

# select imports every compiled module first, so that the name `gemm` ends as the function, not as its module.
from .select import *  # noqa: F403
from .select import __all__  # noqa: F401
