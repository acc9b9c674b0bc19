import numpy as np

def group_norm_forward(
    x: np.ndarray, groups: int, weight: np.ndarray | None, bias: np.ndarray | None, eps: float, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
def group_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    groups: int,
    weight: np.ndarray | None,
    mean: np.ndarray,
    rstd: np.ndarray,
    *,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
