import numpy as np

def batch_norm_forward(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float,
    *,
    relu: bool = False,
    ceiling: float = ...,
    residual: np.ndarray | None = None,
    moments: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
def batch_norm_inference(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    *,
    relu: bool = False,
    ceiling: float = ...,
    residual: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray: ...
def batch_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    *,
    bias: np.ndarray | None = None,
    relu: bool = False,
    ceiling: float = ...,
    y: np.ndarray | None = None,
    also: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, ...]: ...
