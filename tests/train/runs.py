"""tests.train.runs: small training runs that the tests of checkpoints and of the Trainer share."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import data, nn, optim, rng


def digits(part=True, n=80):
    """The first `n` digits at 8 x 8 pixels."""
    return data.Subset(data.digits(part, size=8), np.arange(n))


def net(dropout=0.2):
    """A net with everything that has state: weights, running statistics, draws from the generator."""
    layers = [
        nn.Conv2d(1, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(54, 10),
    ]
    return nn.Sequential(*layers)


def sgd(parameters):
    """SGD on one cycle, which moves momentum as well."""
    optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return optimizer, optim.lr_scheduler.OneCycleLR(optimizer, 0.2, 24)


def adam(parameters):
    """Adam with bias corrections, behind a warm-up."""
    optimizer = optim.AdamW(parameters, lr=1e-3)
    return optimizer, optim.lr_scheduler.WarmUp(optim.lr_scheduler.CosineAnnealingLR(optimizer, 24), 4)


def rmsprop(parameters):
    """RMSprop with all three of its buffers, in two groups."""
    parameters = list(parameters)
    groups = [{"params": parameters[:2], "lr": 0.01}, {"params": parameters[2:]}]
    optimizer = optim.RMSprop(groups, lr=1e-3, momentum=0.9, centered=True)
    return optimizer, optim.lr_scheduler.LinearDecay(optimizer, 24, floor=1e-4)


RECIPES = {"sgd": sgd, "adam": adam, "rmsprop": rmsprop}


class Run:
    """Model, optimizer, schedule and loader of one run, made from seeds alone, and the plain loop over them."""

    def __init__(self, recipe="sgd", seed=0):
        fc.manual_seed(seed)
        self.model = net()
        self.optimizer, self.schedule = RECIPES[recipe](self.model.parameters())
        self.loader = data.DataLoader(digits(), 16, shuffle=True, seed=seed, transform=data.RandomCrop((8, 8), padding=1))

    def parts(self):
        """What a checkpoint holds, by name."""
        return {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule, "loader": self.loader}

    def steps(self, count):
        """Run `count` steps from where the loader stands."""
        self.model.train()
        while count:
            for x, y in self.loader:
                loss = F.cross_entropy(self.model(x), y, label_smoothing=0.1)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                count -= 1
                if not count:
                    break
            else:
                continue
            break
        return self

    def digest(self):
        """One sha256 over every bit of state: weights, buffers, optimizer, schedule, loader, generator."""
        return digest({name: part.state_dict() for name, part in self.parts().items()}, rng.get_state())


def digest(*trees):
    """Return one sha256 over nested values, arrays by their bytes."""
    hashed = sha256()

    def add(value):
        if isinstance(value, dict):
            for key in value:
                hashed.update(f"{key}:".encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            for item in value:
                add(item)
        elif isinstance(value, (np.ndarray, fc.Tensor)):
            hashed.update(
                np.ascontiguousarray(value.data).tobytes()
                if isinstance(value, fc.Tensor)
                else np.ascontiguousarray(value).tobytes()
            )
        else:
            hashed.update(f"{value!r};".encode())

    add(trees)
    return hashed.hexdigest()
