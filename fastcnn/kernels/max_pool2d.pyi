import numpy as np

from fastcnn.shapes import Pool2dCase

def max_pool2d_forward(
    x: np.ndarray, case: Pool2dCase, *, need_index: bool = True, threads: int = 1
) -> tuple[np.ndarray, np.ndarray | None]: ...
def max_pool2d_backward(dy: np.ndarray, index: np.ndarray, case: Pool2dCase, *, threads: int = 1) -> np.ndarray: ...
def adaptive_max_pool2d_forward(
    x: np.ndarray, out_size: tuple[int, int], *, need_index: bool = True, threads: int = 1
) -> tuple[np.ndarray, np.ndarray | None]: ...
def adaptive_max_pool2d_backward(
    dy: np.ndarray, index: np.ndarray, x_shape: tuple[int, ...], *, threads: int = 1
) -> np.ndarray: ...
