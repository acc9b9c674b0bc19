import numpy as np

from fastcnn.shapes import Pool2dCase

def batch_norm_max_pool2d_forward(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float,
    case: Pool2dCase,
    *,
    ceiling: float = ...,
    moments: np.ndarray | None = None,
    need_index: bool = True,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]: ...
def batch_norm_max_pool2d_inference(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    case: Pool2dCase,
    *,
    ceiling: float = ...,
    threads: int = 1,
) -> np.ndarray: ...
def batch_norm_max_pool2d_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    winners: np.ndarray,
    index: np.ndarray,
    case: Pool2dCase,
    *,
    bias: np.ndarray | None = None,
    ceiling: float = ...,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
