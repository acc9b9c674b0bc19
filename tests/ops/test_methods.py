"""tests.ops.test_methods: operators and methods of Tensor."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, no_grad
from fastcnn.errors import ArgumentError, DtypeError, GradientError, ShapeError

from .draws import positive


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def test_reflected_operators():
    x = leaf(2.0, 4.0)
    assert (1 - x).data.tolist() == [-1, -3] and (8 / x).data.tolist() == [4, 2]
    assert (2**x).data.tolist() == [4, 16] and (1 + x).data.tolist() == [3, 5] and (3 * x).data.tolist() == [6, 12]


def test_arrays_on_the_left():
    x, a = leaf(2.0, 4.0), np.array([1, 2], np.float32)
    for y, expected in ((a + x, [3, 6]), (a - x, [-1, -2]), (a * x, [2, 8]), (a / x, [0.5, 0.5])):
        assert isinstance(y, Tensor) and y.requires_grad and y.data.tolist() == expected


def test_comparisons_are_elementwise_and_tensors_hash_by_identity():
    x = leaf(1.0, 2.0, 3.0)
    assert (x == 2).data.tolist() == [False, True, False] and (x != 2).data.tolist() == [True, False, True]
    assert (x < 2).sum().item() == 1 and (x <= 2).sum().item() == 2
    assert (x > 2).sum().item() == 1 and (x >= leaf(1.0, 3.0, 3.0)).data.tolist() == [True, False, True]
    assert {x: "here"}[x] == "here" and not (x == x).requires_grad
    with pytest.raises(ShapeError, match=r"^eq: shapes do not broadcast"):
        x == leaf(1.0, 2.0)  # noqa: B015


def test_accuracy_reads_as_in_pytorch():
    logits, target = Tensor(np.eye(3, dtype=np.float32)), Tensor([0, 1, 1])
    assert (logits.argmax(1) == target).sum().item() == 2
    assert (logits.argmax(1) == target).float().mean().item() == pytest.approx(2 / 3)


def test_in_place_outside_the_tape_changes_the_tensor():
    x = leaf(2.0, 4.0)
    memory, same = x.data, x
    with no_grad():
        x += 1
        x *= 2
        x -= leaf(1.0, 1.0)
        x /= 5
    assert x is same and x.data is memory and x.version == 4
    np.testing.assert_allclose(x.data, [1.0, 1.8], rtol=1e-6)


def test_in_place_on_the_tape_makes_a_new_tensor():
    x = leaf(2.0, 4.0)
    y = first = x * 1
    y += x
    assert y is not first and first.data.tolist() == [2, 4]
    y.sum().backward()
    assert x.grad.data.tolist() == [2, 2]


def test_in_place_errors():
    x = leaf(2.0, 4.0)
    with pytest.raises(GradientError, match=r"^add: a leaf that requires a gradient cannot be changed in place"):
        x += 1
    y = x * 2
    with no_grad(), pytest.raises(GradientError, match=r"^mul: a recorded result cannot be changed in place"):
        y *= 2
    fixed = Tensor(np.broadcast_to(np.float32(1), (3,)))
    with pytest.raises(ArgumentError, match=r"^add: the tensor's memory is read-only"):
        fixed += 1
    small = Tensor(np.ones(3, np.float32))
    with pytest.raises(ShapeError, match=r"^add: shapes do not broadcast"):
        small += np.ones((2, 3), np.float32)


def test_in_place_float_on_integers_makes_floats():
    x = Tensor([1, 2])
    x += 0.5
    assert x.dtype == np.float32 and x.data.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("operation", [lambda x: x + "a", lambda x: x * None, lambda x: [] @ x, lambda x: x - object()])
def test_nonsense_operands_are_type_errors(operation):
    with pytest.raises((DtypeError, ShapeError)):
        operation(leaf(1.0, 2.0))


def test_methods_are_the_ops():
    x = Tensor(positive(2, 6))
    assert x.reshape(3, 4).shape == x.reshape((3, 4)).shape == x.view(3, -1).shape == (3, 4)
    assert x.exp().log().sqrt().clamp(0.1, 9).relu().softmax(1).log_softmax(1).flatten().shape == (12,)
    assert x.float().dtype == np.float32 and x.float().double().dtype == np.float64 and x.long().dtype == np.int64
    assert x.astype("float32").dtype == np.float32
    assert x.matmul(x.T).shape == (2, 2) and x.max().shape == () and x.mean(0, keepdim=True).shape == (1, 6)


def test_integers_stay_integers():
    x = Tensor([1, 2, 3])
    assert (
        (x + 1).dtype == np.int64 and (x * x).dtype == np.int64 and (x / 2).dtype == np.float32 and (x + 0.5).dtype == np.float32
    )
    with pytest.raises(ArgumentError, match=r"^add: 300 does not fit into uint8"):
        Tensor(np.zeros(2, np.uint8)) + 300
