"""bench.peers.torch_fashion: bench.fashion_mnist's training in PyTorch, channels-last, as its users write it."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from bench import fashion_mnist as recipe

from .torch_peer import twin


class Theirs:
    """Trains the PyTorch twin of `model`, which is left alone; `arrays` are (images, labels) of both sets."""

    def __init__(self, model, arrays: list[tuple[np.ndarray, np.ndarray]], batch: int, epochs: int, seed: int):
        (self.x, self.y), (self.test_x, self.test_y) = ((torch.from_numpy(x), torch.from_numpy(y).long()) for x, y in arrays)
        self.batch, self.steps = batch, len(self.x) // batch
        self.generator = torch.Generator().manual_seed(seed)
        self.net = twin(model).to(memory_format=torch.channels_last)
        options = {"momentum": recipe.MOMENTUM, "weight_decay": recipe.DECAY, "nesterov": True}
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=recipe.RATE, **options)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.RATE, total_steps=epochs * self.steps, pct_start=recipe.RISE
        )

    def epoch(self) -> None:
        self.net.train()
        order = torch.randperm(len(self.x), generator=self.generator)
        for i in range(self.steps):
            chosen = order[i * self.batch : (i + 1) * self.batch]
            x, y = self.x[chosen], self.y[chosen]
            flip = torch.rand(len(x), generator=self.generator) < 0.5
            x[flip] = x[flip].flip(-1)
            out = self.net(x.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(out, y, label_smoothing=recipe.SMOOTHING)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.schedule.step()

    def accuracy(self) -> float:
        self.net.eval()
        with torch.inference_mode():
            parts = zip(self.test_x.split(recipe.TEST_BATCH), self.test_y.split(recipe.TEST_BATCH), strict=True)
            correct = sum(int((self.net(x).argmax(1) == y).sum()) for x, y in parts)
        return correct / len(self.test_x)
