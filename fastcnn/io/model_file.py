"""io.model_file: a model, or a state dictionary, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from ..autograd import Tensor
from ..errors import ArgumentError, DtypeError, FileFormatError
from ..nn import Module
from .safetensors_file import read_arrays, write_arrays
from .structure import build, describe

KEY, FORMAT = "fastcnn", 1


def save(model_or_state, path: str | os.PathLike, *, metadata: Mapping[str, str] | None = None) -> None:
    """Save a model or a state dictionary to `path` as safetensors.

    Parameters
    ----------
    model_or_state : Module or mapping of str to Tensor or array
        Of a model that is a chain (nested `Sequential`) of layers and blocks of `nn` the structure is saved too, whatever its
        widths, so that `load` gives it back whole. Of any other model only the state is saved.
    path : path
    metadata : mapping of str to str, optional
        Any text, given back by `load_metadata`.

    Raises
    ------
    DtypeError, ArgumentError
        When there is something that cannot be saved.
    OSError
        When the file cannot be written; the old file is then intact.

    Notes
    -----
    Atomic: after a crash the path holds the old complete file or the new one. Mode bits are kept. The file holds no code, and any
    safetensors reader opens it. The same model and metadata give the same bytes.
    """
    record: dict = {"format": FORMAT, "metadata": _checked(metadata or {})}
    if isinstance(model_or_state, Module):
        state: Mapping = model_or_state.state_dict()
        structure = describe(model_or_state)
        if structure is not None:
            record["model"] = structure
    elif isinstance(model_or_state, Mapping):
        state = model_or_state
    else:
        raise DtypeError(f"save: a Module or a mapping of names to tensors is needed, got {type(model_or_state).__name__}")
    # one entry for all: safetensors writes several in an order of chance, and the same model shall give the same bytes
    write_arrays(path, state, {KEY: json.dumps(record)})


def load(path: str | os.PathLike):
    """Load what `save` wrote, or any safetensors file.

    Returns
    -------
    Module
        In evaluation mode, when the file says what the model is made of.
    dict of str to Tensor
        Otherwise: the state, for `Module.load_state_dict` (float16 becomes float32).

    Raises
    ------
    FileFormatError
        When the file is damaged, or its description does not fit its arrays.

    Notes
    -----
    Loading runs no code from the file: layers come from a fixed list. Memory is at most 4 x the file's size + 64 MiB.
    """
    arrays, metadata = read_arrays(path)
    record = _record(metadata, path)
    if record.get("model") is None:
        return {name: Tensor(array.astype("f4") if array.dtype == "f2" else array) for name, array in arrays.items()}
    model = build(record["model"], arrays, str(path))
    if all(array.dtype == "f8" for array in arrays.values() if array.dtype.kind == "f"):
        model.double()
    model.load_state_dict(arrays)
    return model.eval()


def load_metadata(path: str | os.PathLike) -> dict[str, str]:
    """Return the text that `save` was given as metadata, or the metadata of a file of another library."""
    metadata = read_arrays(path)[1]
    if KEY not in metadata:
        return metadata
    found = _record(metadata, path).get("metadata", {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise FileFormatError(f"load: {path} holds metadata that is not text")
    return found


def _checked(metadata: Mapping[str, str]) -> dict[str, str]:
    if not all(isinstance(text, str) for text in (*metadata, *metadata.values())):
        raise ArgumentError(f"save: metadata must map strings to strings, got {dict(metadata)!r}")
    return dict(metadata)


def _record(metadata: Mapping[str, str], path) -> dict:
    if KEY not in metadata:
        return {}
    try:
        record = json.loads(metadata[KEY])
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise FileFormatError(f"load: {path} has a description of format {FORMAT} in its metadata, or none; this one has another")
    return record
