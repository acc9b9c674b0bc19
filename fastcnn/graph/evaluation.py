"""graph.evaluation: run a model in evaluation mode and put every module's mode back."""

from __future__ import annotations

from contextlib import contextmanager


@contextmanager
def evaluation(model):
    """Switch `model` to evaluation mode inside the block; afterwards each module has the mode that it had before."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes:
            module.training = training
