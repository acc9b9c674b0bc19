from numpy import ndarray

def cross_entropy_forward(
    logits,
    target,
    label_smoothing: float = 0.0,
    weight: ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "none",
    *,
    threads: int = 1,
) -> tuple[ndarray, ndarray]: ...
def cross_entropy_backward(
    dloss,
    probs,
    target,
    label_smoothing: float = 0.0,
    weight: ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "none",
    *,
    threads: int = 1,
) -> ndarray: ...
def nll_loss_forward(
    x, target, *, weight: ndarray | None = None, ignore_index: int = -100, reduction: str = "none", threads: int = 1
) -> ndarray: ...
def nll_loss_backward(
    dloss, x, target, *, weight: ndarray | None = None, ignore_index: int = -100, reduction: str = "none", threads: int = 1
) -> ndarray: ...
