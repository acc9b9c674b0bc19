"""tests.io.test_tree_file: nested values come back with every bit; damaged and hostile files are refused."""

import json
from collections import OrderedDict

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ArgumentError, DtypeError, FileFormatError
from fastcnn.io.safetensors_file import read_arrays, write_arrays
from fastcnn.io.tree_file import DIGEST, TREE, _digest, load_tree, save_tree

VALUES = {
    "none": None,
    "flags": [True, False],
    "int": 2**200,
    "floats": [0.1, -0.0, 5e-324, 1.7976931348623157e308],
    "infinite": (float("inf"), float("-inf")),
    "text": 'ä "quoted" \n \0',
    "tuple": (1, (2.5, "x"), []),
    "numbered": {0: {"a": 1}, 7: {}},
    "marks": {"$array": "a", "$": 1},
    "mixed": {1: "int", "1": "text"},
    "empty": {},
    "ordered": OrderedDict(b=1, a=2),
}


def same(a, b):
    """Compare values, their types and the order of keys."""
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and repr(a) == repr(b)


def test_plain_values_come_back(tmp_path):
    save_tree(tmp_path / "t", VALUES)
    assert same(VALUES, load_tree(tmp_path / "t"))
    assert np.isnan(float("nan")) and repr(_after({"x": float("nan")}, tmp_path)["x"]) == "nan"


def _after(tree, folder):
    save_tree(folder / "after", tree)
    return load_tree(folder / "after")


def test_arrays_and_scalars_come_back(tmp_path):
    rng = np.random.default_rng(0)
    nhwc = rng.standard_normal((2, 4, 3, 5)).astype("f4")
    tree = {
        "view": nhwc.transpose(0, 3, 1, 2)[:, ::-2],
        "state": {3: {"momentum_buffer": rng.random(3), "step": np.int64(5), "rate": np.float32(0.1), "on": np.bool_(True)}},
        "nan": np.array([np.nan, -np.nan, np.inf, -0.0], "f4"),
        "scalar": np.array(7, "i2"),
        "none": np.zeros((0, 3)),
        "list": [np.arange(3), (np.arange(2, dtype="u1"),)],
    }
    assert same(tree, _after(tree, tmp_path))
    assert same({"x": np.arange(3.0)}, _after({"x": fc.tensor(np.arange(3.0))}, tmp_path))
    assert type(_after({"x": np.float64(0.1)}, tmp_path)["x"]) is float  # np.float64 is a float


def test_names_in_the_file_are_paths(tmp_path):
    tree = {
        "model": {"0.weight": np.zeros(2)},
        "optimizer": {"state": {0: {"b": np.zeros(3)}}},
        "a": {"b": np.ones(1)},
        "a.b": np.zeros(1),
    }
    assert same(tree, _after(tree, tmp_path))
    assert set(read_arrays(tmp_path / "after")[0]) == {"model.0.weight", "optimizer.state.0.b", "a.b", "a.b'"}


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    tree = {"b": np.zeros(3), "a": np.ones(2, "f4"), "n": 1}
    for name in "12":
        save_tree(tmp_path / name, tree)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (object(), DtypeError, r"save: a\.0\.x is a object; only numbers"),
        (1j, DtypeError, r"a\.0\.x is a complex"),
        ({1.5: 2}, ArgumentError, r"the keys of a\.0\.x must be strings or ints"),
        (np.array([None]), DtypeError, r"'a\.0\.x' must be an array of floats"),
        ("x" * (1 << 20), ArgumentError, "the limit is 1048576"),
    ],
)
def test_what_cannot_be_saved(tmp_path, value, error, text):
    with pytest.raises(error, match=text):
        save_tree(tmp_path / "t", {"a": [{"x": value}]})
    assert not any(tmp_path.iterdir())


def test_every_flipped_bit_is_found(tmp_path):
    path = tmp_path / "t"
    save_tree(path, {"x": np.arange(4.0), "y": [1, 0.5]})
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.choice(len(content) * 8, 300, replace=False):
        damaged = bytearray(content)
        damaged[at // 8] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError, match="load: "):
            load_tree(path)


HOSTILE = {
    "no json": "{",
    "deep": "[" * 100_000,
    "number": "3",
    "no format": '{"tree": {}}',
    "other format": '{"format": 2, "tree": {}}',
    "list": '{"format": 1, "tree": []}',
    "absent array": '{"format": 1, "tree": {"x": {"$array": "y"}}}',
    "array of arrays": '{"format": 1, "tree": {"x": {"$array": ["x"]}}}',
    "two marks": '{"format": 1, "tree": {"x": {"$array": "x", "$scalar": "x"}}}',
    "unknown mark": '{"format": 1, "tree": {"x": {"$code": "x"}}}',
    "bad float": '{"format": 1, "tree": {"x": {"$float": "one"}}}',
    "bad items": '{"format": 1, "tree": {"x": {"$items": [[[], 1]]}}}',
    "scalar of many": '{"format": 1, "tree": {"$scalar": "x"}}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_descriptions(tmp_path, name):
    arrays = {"x": np.zeros(2)}
    write_arrays(tmp_path / "t", arrays, {TREE: HOSTILE[name], DIGEST: _digest(HOSTILE[name], arrays)})
    with pytest.raises(FileFormatError, match="load: "):
        load_tree(tmp_path / "t")


def test_other_files_are_refused(tmp_path):
    write_arrays(tmp_path / "t", {"x": np.zeros(2)}, {"note": json.dumps(1)})
    with pytest.raises(FileFormatError, match="is not a checkpoint, only a safetensors file"):
        load_tree(tmp_path / "t")
