"""tests.ops.test_getitem: indexing by NumPy's rules."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor

from .draws import channels_last, gradcheck, real

INDICES = {
    "int": 1,
    "negative": -1,
    "slice": slice(1, 3),
    "step": slice(None, None, 2),
    "reversed": slice(None, None, -1),
    "tuple": (0, slice(None), 1),
    "ellipsis": (Ellipsis, 0),
    "new_axis": (None, 0),
    "list": [2, 0, 2],
    "array": np.array([[0, 1], [1, 1]]),
    "two_arrays": (np.array([0, 2, 0]), np.array([1, 1, 1])),
    "mask": np.array([True, False, True]),
    "tensor": Tensor([0, 0, 1]),
    "nothing": slice(0, 0),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_gradient(index):
    assert gradcheck(lambda x: x[index], real(3, 2, 4), mode="full")


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_value(index):
    x = real(3, 2, 4)
    plain = index.data if isinstance(index, Tensor) else index
    assert np.array_equal(Tensor(x)[index].data, x[plain])


def test_changing_the_index_array_later_does_no_harm():
    x, index = Tensor(real(3), requires_grad=True), np.array([0, 1])
    y = x[index]
    index[:] = 2
    y.sum().backward()
    assert x.grad.data.tolist() == [1, 1, 0]


def test_gradient_has_the_memory_order_of_x():
    x = Tensor(channels_last(real(2, 3, 4, 5)), requires_grad=True)
    x[:, 1:].sum().backward()
    assert x.grad.data.strides == x.data.strides


def test_iteration_ends():
    assert [row.shape for row in Tensor(real(3, 2))] == [(2,)] * 3


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (3, "out of bounds"),
        ((0, 0, 0, 0), "too many indices"),
        (1.5, "valid indices"),
        ("a", "valid indices"),
        ([0, 7], "out of bounds"),
    ],
)
def test_bad_index(index, text):
    with pytest.raises(IndexError, match=rf"^getitem: .*{text}.*\(x.shape=\(3, 2, 4\)\)"):
        Tensor(real(3, 2, 4))[index]
