import numpy as np

from ..shapes import Conv2dCase

def conv2d_depthwise_backward_weight(dy: np.ndarray, x: np.ndarray, case: Conv2dCase, *, threads: int = 1) -> np.ndarray: ...
