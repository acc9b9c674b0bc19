"""cli.recipe: SGD with Nesterov momentum on a one-cycle schedule [Smith2018]; what `demo` and `train` share."""

from __future__ import annotations

from functools import partial

from .. import data, optim, train
from ..nn import functional as F
from .catalog import Source


def trainer(
    model,
    train_set,
    validation,
    source: Source,
    *,
    epochs,
    batch_size,
    lr,
    seed,
    label_smoothing=0.0,
    callbacks=(),
    progress=True,
):
    """Return the Trainer of the recipe. Images are shifted by up to 2 pixels, and mirrored where `source` allows it."""
    transforms: list = [data.RandomShift(2)]  # what a shift uncovers is black
    if source.mirror:
        transforms.append(data.RandomHorizontalFlip())
    loader = data.DataLoader(
        train_set, batch_size, shuffle=True, drop_last=len(train_set) >= batch_size, seed=seed, transform=transforms
    )
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, max(1, epochs * len(loader)))
    return train.Trainer(
        model,
        loader,
        optimizer,
        schedule=schedule,
        loss=partial(F.cross_entropy, label_smoothing=label_smoothing),
        validation=validation,
        callbacks=callbacks,
        progress=progress,
    )


def fit(model, train_set, validation, source: Source, *, epochs: int, **options):
    """Train `model` by the recipe and return the history; Ctrl-C raises KeyboardInterrupt after the step under way."""
    made = trainer(model, train_set, validation, source, epochs=epochs, **options)
    history = made.fit(epochs)
    if made.interrupted:
        raise KeyboardInterrupt
    return history
