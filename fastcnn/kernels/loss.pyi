from numpy import ndarray

def loss_forward(
    x: ndarray,
    target: ndarray,
    kind: str,
    p: float = 0,
    factor: float = 1,
    reduction: str = "mean",
    *,
    weight: ndarray | None = None,
    pos_weight: ndarray | None = None,
    threads: int = 1,
) -> ndarray: ...
def loss_backward(
    dy: ndarray,
    x: ndarray,
    target: ndarray,
    kind: str,
    p: float = 0,
    factor: float = 1,
    reduction: str = "mean",
    *,
    weight: ndarray | None = None,
    pos_weight: ndarray | None = None,
    of_target: bool = False,
    threads: int = 1,
) -> ndarray: ...
