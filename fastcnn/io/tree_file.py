"""io.tree_file: nested dictionaries, lists, numbers and arrays in one safetensors file, every bit as it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from math import isfinite

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError, DtypeError, FileFormatError
from .safetensors_file import checked_array, read_arrays, stored_bytes, write_arrays

TREE, DIGEST, FORMAT = "fastcnn.tree", "fastcnn.sha256", 1


def save_tree(path: str | os.PathLike, tree: Mapping[str, object]) -> None:
    """Save `tree` atomically.

    Parameters
    ----------
    path : path
    tree : mapping of str
        Values are None, bools, ints, floats, strings, NumPy scalars, arrays, Tensors, and lists, tuples and mappings of these.

    Raises
    ------
    DtypeError
        For a value of another type; the text says where it is.
    ArgumentError
        When the names and the numbers outside of arrays need more than 1 MiB.
    OSError
        When the file cannot be written; the old file is then intact.

    Notes
    -----
    The arrays are the tensors of the file, under their paths joined by dots; the rest is JSON in its metadata, with the sha256
    of everything.
    """
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps({"format": FORMAT, "tree": _encode(tree, "", arrays)}, separators=(",", ":"))
    write_arrays(path, arrays, {TREE: text, DIGEST: _digest(text, arrays)})


def load_tree(path: str | os.PathLike) -> dict:
    """Return what `save_tree` saved; Tensors come back as arrays.

    Raises
    ------
    FileFormatError
        When the file is damaged (its sha256 is checked), or is not one of `save_tree`. No code is run, whatever the file holds.
    """
    arrays, metadata = read_arrays(path)
    text = metadata.get(TREE)
    if text is None:
        raise FileFormatError(f"load: {path} is not a checkpoint, only a safetensors file")
    if metadata.get(DIGEST) != _digest(text, arrays):
        raise FileFormatError(f"load: {path} is damaged (its content does not have the sha256 that it was saved with)")
    try:
        record = json.loads(text)
        if record["format"] != FORMAT:
            raise FileFormatError(f"load: {path} has format {record['format']!r}, this version reads {FORMAT}")
        tree = _decode(record["tree"], arrays)
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"load: {path} holds a damaged description ({error!r})") from None
    if not isinstance(tree, dict):
        raise FileFormatError(f"load: {path} holds a {type(tree).__name__} where a dictionary belongs")
    return tree


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype.str[1:]}\0{array.shape}\0".encode("utf-8", "surrogatepass"))
        digest.update(stored_bytes(array))
    return digest.hexdigest()


def _encode(value, path: str, arrays: dict[str, np.ndarray]):
    """Return `value` as JSON takes it, and put its arrays into `arrays`."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, (np.ndarray, np.generic, Tensor)):
        name = path
        while name in arrays:  # {"a": {"b": x}, "a.b": y}
            name += "'"
        arrays[name] = checked_array(name, value.data if isinstance(value, Tensor) else np.asarray(value))
        return {"$scalar" if isinstance(value, np.generic) else "$array": name}
    if isinstance(value, (list, tuple)):
        items = [_encode(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, Mapping):
        items = [[key, _encode(item, f"{path}.{key}" if path else str(key), arrays)] for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(items)
        if not all(isinstance(key, (str, int)) for key in value):
            raise ArgumentError(f"save: the keys of {path} must be strings or ints, got {list(value)!r}")
        return {"$items": items}
    raise DtypeError(
        f"save: {path} is a {type(value).__name__}; only numbers, text, arrays and lists, dicts of them can be saved"
    )


def _decode(value, arrays: Mapping[str, np.ndarray]):
    """Return the value that `_encode` was given."""
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next((key for key in value if key.startswith("$")), None)
    if kind is None:
        return {key: _decode(item, arrays) for key, item in value.items()}
    ((kind, content),) = value.items()
    if kind == "$array":
        return arrays[content]
    if kind == "$scalar":
        return arrays[content][()]
    if kind == "$float":
        return float(content)
    if kind == "$tuple":
        return tuple(_decode(item, arrays) for item in content)
    if kind == "$items":
        return {key: _decode(item, arrays) for key, item in content}
    raise ValueError(f"unknown mark {kind}")
