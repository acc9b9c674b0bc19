from numpy import ndarray

REDUCTIONS: dict[str, int]

def soft_cross_entropy_forward(
    x: ndarray,
    target: ndarray,
    weight: ndarray | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "none",
    *,
    threads: int = 1,
) -> tuple[ndarray, ndarray]: ...
def soft_cross_entropy_backward(
    dloss: ndarray,
    x: ndarray,
    target: ndarray,
    kept: ndarray,
    weight: ndarray | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "none",
    of_target: bool = False,
    *,
    threads: int = 1,
) -> ndarray: ...
