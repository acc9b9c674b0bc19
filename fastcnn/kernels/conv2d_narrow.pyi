import numpy as np

from ..shapes import Conv2dCase

def accepts(case: Conv2dCase) -> bool: ...
def accepts_data(case: Conv2dCase) -> bool: ...
def gain(case: Conv2dCase, op: str, itemsize: int) -> float: ...
def conv2d_narrow_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None,
    case: Conv2dCase,
    *,
    bounds: tuple[float, float] | None = None,
    residual: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray: ...
def conv2d_narrow_backward_data(dy: np.ndarray, w: np.ndarray, case: Conv2dCase, *, threads: int = 1) -> np.ndarray: ...
