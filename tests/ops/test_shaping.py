"""tests.ops.test_shaping: stack, split, chunk, squeeze, unsqueeze."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, ops
from fastcnn.errors import ArgumentError, ShapeError

from .draws import gradcheck, real


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_stack(dim):
    x, y = real(2, 3), real(2, 3, seed=1)
    assert gradcheck(lambda x, y: ops.stack([x, y], dim), (x, y))
    assert np.array_equal(ops.stack([x, y], dim).data, np.stack([x, y], dim))


@pytest.mark.parametrize("given", [1, 2, 5, 9, [1, 4], [5], [0, 2, 3]])
def test_split(given):
    x = real(3, 5)
    pieces = ops.split(x, given, 1)
    assert np.array_equal(np.concatenate([p.data for p in pieces], axis=1), x)
    if isinstance(given, list):
        assert [p.shape[1] for p in pieces] == given
    for i in range(len(pieces)):
        assert gradcheck(lambda x, i=i: ops.split(x, given, 1)[i], x)


@pytest.mark.parametrize(("size", "chunks", "lengths"), [(6, 3, [2, 2, 2]), (5, 3, [2, 2, 1]), (5, 4, [2, 2, 1]), (2, 7, [1, 1])])
def test_chunk(size, chunks, lengths):
    assert [p.shape[0] for p in Tensor(real(size, 2)).chunk(chunks)] == lengths


def test_squeeze_and_unsqueeze():
    x = Tensor(real(1, 3, 1))
    assert x.squeeze().shape == (3,) and x.squeeze(0).shape == (3, 1) and x.squeeze(1).shape == (1, 3, 1)
    assert x.squeeze((0, -1)).shape == (3,)
    assert x.unsqueeze(0).shape == (1, 1, 3, 1) and x.unsqueeze(-1).shape == (1, 3, 1, 1)
    assert gradcheck(lambda x: ops.unsqueeze(ops.squeeze(x), 1), x.data)


def test_bad_input():
    x = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"^stack: shapes differ \(shapes \[\(2, 3\), \(3, 2\)\]\)"):
        ops.stack([x, x.T])
    for bad in ([], Tensor(x)):
        with pytest.raises(ArgumentError, match=r"^stack: tensors must be a tuple or list"):
            ops.stack(bad)
    for given in ([1, 1], [4, -1], 0):
        with pytest.raises(ArgumentError, match=r"^split: "):
            ops.split(x, given, 1)
    with pytest.raises(ArgumentError, match=r"^chunk: chunks must be at least 1"):
        ops.chunk(x, 0)
    with pytest.raises(ArgumentError, match=r"^unsqueeze: dim must be between"):
        ops.unsqueeze(x, 3)
