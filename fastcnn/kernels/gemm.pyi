import numpy as np

def gemm(
    a: np.ndarray,
    b: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    bounds: tuple[float, float] | None = None,
    residual: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray: ...
