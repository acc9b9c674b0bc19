"""train.checkpoint: everything that a training run needs to go on exactly where it stopped, in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from .. import rng
from ..autograd import Tensor
from ..errors import ArgumentError, FastcnnError, StateError
from ..io.tree_file import load_tree, save_tree


def save_checkpoint(path: str | os.PathLike, **parts) -> None:
    """Save the state of a run to `path`: its parts, and that of the global random generator.

    Parameters
    ----------
    path : path
        Replaced atomically, mode bits kept: after a crash it holds the old complete checkpoint or the new one.
    **parts
        Under names of your choice: objects with `state_dict` and `load_state_dict` (model, optimizer, schedule, loader, ...),
        and plain values: None, bools, numbers, strings, arrays, and lists, tuples and dicts of them.

    Raises
    ------
    DtypeError, ArgumentError
        For a value that cannot be saved.
    OSError
        When the file cannot be written; the old file is then intact.

    Notes
    -----
    Call it between two steps, after `optimizer.step()` and `schedule.step()`: gradients are not saved. The file is safetensors
    with JSON in its metadata and a sha256 of all; it holds no code.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcnn import nn, optim, train
    >>> model = nn.Linear(2, 3)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
    >>> train.save_checkpoint(path, model=model, optimizer=optimizer, best=0.5)
    >>> train.load_checkpoint(path, model=model, optimizer=optimizer)
    {'best': 0.5}
    """
    if "rng" in parts:
        raise ArgumentError("save_checkpoint: the name 'rng' is that of the global random generator, which is always saved")
    tree = {name: part.state_dict() if _has_state(part) else part for name, part in parts.items()}
    save_tree(path, {**tree, "rng": rng.get_state()})


def load_checkpoint(path: str | os.PathLike, *, restore_rng: bool = True, **parts) -> dict:
    """Put the state that `save_checkpoint` saved into `parts`, and return the plain values.

    Parameters
    ----------
    path : path
    restore_rng : bool
        Also set the global random generator.
    **parts
        Objects with `load_state_dict`, under the names that they were saved with.

    Returns
    -------
    dict
        What was saved and is not in `parts`: plain values, and the state dicts of objects left out.

    Raises
    ------
    FileFormatError
        When the file is damaged or not a checkpoint.
    StateError
        When a part is missing in the file or does not fit. All parts are then as they were.
    """
    for name, part in parts.items():
        if not callable(getattr(part, "load_state_dict", None)):
            raise ArgumentError(f"load_checkpoint: {name} has no load_state_dict; plain values are returned, not passed")
    tree = load_tree(path)
    missing = [name for name in (*parts, *["rng"] * restore_rng) if name not in tree]
    if missing:
        raise StateError(f"load_checkpoint: {path} holds {', '.join(tree)}, not {', '.join(missing)}")
    before = {name: copied(part.state_dict()) for name, part in parts.items()}
    reached: list[str] = []
    try:
        for name, part in parts.items():
            reached.append(name)
            part.load_state_dict(tree[name])
        if restore_rng:
            reached.append("rng")
            rng.set_state(tree["rng"])
    except BaseException as error:
        for name in reached:
            if name in parts:
                parts[name].load_state_dict(before[name])
        if isinstance(error, (FastcnnError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)):
            raise StateError(f"load_checkpoint: {reached[-1]} of {path}: {error or repr(error)}") from error
        raise
    return {name: value for name, value in tree.items() if name not in parts and name != "rng"}


def copied(tree):
    """Return nested dicts, lists and tuples with copies of their arrays."""
    if isinstance(tree, Tensor):
        return Tensor(tree.data.copy(order="K"))
    if isinstance(tree, np.ndarray):
        return tree.copy(order="K")
    if isinstance(tree, Mapping):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(copied(value) for value in tree)
    return tree


def _has_state(part) -> bool:
    return callable(getattr(part, "state_dict", None))
