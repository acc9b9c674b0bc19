import numpy as np

RULES: dict[str, int]

class Update:
    rule: str
    def __init__(self, rule: str, n: int, groups: int) -> None: ...
    def set_options(
        self,
        group: int,
        *,
        lr: float,
        weight_decay: float = 0.0,
        eps: float = 0.0,
        momentum: float = 0.0,
        dampening: float = 0.0,
        beta1: float = 0.0,
        beta2: float = 0.0,
        lr_decay: float = 0.0,
        momentum_decay: float = 0.0,
        trust_coefficient: float = 1.0,
        nesterov: bool = False,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> None: ...
    def bind(
        self,
        i: int,
        group: int,
        p: np.ndarray,
        state: dict,
        names: tuple[str | None, ...],
        count: np.ndarray,
        product: np.ndarray | None = None,
        plain: bool = False,
    ) -> None: ...
    def aim(self, data: list[np.ndarray], grads: list[np.ndarray | None], states: list[dict | None]) -> list[int]: ...
    def step(
        self, data: list[np.ndarray], grads: list[np.ndarray | None], states: list[dict | None], threads: int = 1
    ) -> list[int]: ...
