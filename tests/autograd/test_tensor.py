"""tests.autograd.test_tensor: what a tensor may hold, and what it says about itself."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fastcnn import Tensor, tensor
from fastcnn.errors import ArgumentError, DtypeError, GradientError


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, np.float32),
        ([1.0, 2.0], np.float32),
        ([[1, 2.5]], np.float32),
        (3, np.int64),
        ([1, 2], np.int64),
        (True, np.bool_),
        (np.float64(1.5), np.float64),
        (np.ones(2), np.float64),
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.int8), np.int8),
        (np.ones(2, ">f4"), np.float32),
        (bytearray(b"ab"), np.uint8),
        (memoryview(np.ones(2, np.float32)), np.float32),
        (range(3), np.int64),
    ],
)
def test_dtype(value, dtype):
    assert Tensor(value).dtype == dtype and type(Tensor(value).data) is np.ndarray


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1j, DtypeError, r"^tensor: dtype must be float32, float64, an integer type or bool, got complex128"),
        (np.ones(2, np.float16), DtypeError, r"got float16"),
        (np.array([1, None]), DtypeError, r"got object"),
        ("text", DtypeError, r"got <U4"),
        (np.array(["2020-01-01"], "M8[D]"), DtypeError, r"got datetime64"),
        ([[1], [1, 2]], ArgumentError, r"^tensor: list cannot be read as an array"),
        (object(), DtypeError, r"got object"),
        ([Tensor([1.0]), Tensor([1.0, 2.0])], ArgumentError, r"cannot be read as an array"),
    ],
)
def test_bad_data(value, error, text):
    with pytest.raises(error, match=text):
        Tensor(value)


def test_subclasses_become_plain_arrays():
    assert type(Tensor(np.ma.array([1.0, 2.0])).data) is np.ndarray
    assert type(Tensor(np.arange(4.0).reshape(2, 2).view(np.matrix)).data) is np.ndarray


@pytest.mark.parametrize("protocol", ["__array__", "__dlpack__"])
def test_protocols_share_memory(protocol):
    held = np.arange(3, dtype=np.float32)
    if protocol == "__array__":
        foreign = type("ByArray", (), {"__array__": lambda self, dtype=None, copy=None: held})()
    else:
        members = {"__dlpack__": lambda self, **options: held.__dlpack__(**options), "__dlpack_device__": lambda self: (1, 0)}
        foreign = type("ByDLPack", (), members)()
    assert np.shares_memory(Tensor(foreign).data, held)


def test_tensor_copies_and_Tensor_shares():
    a = np.ones(2, np.float32)
    assert np.shares_memory(Tensor(a).data, a) and not np.shares_memory(tensor(a).data, a)
    assert tensor(Tensor(a), requires_grad=True).requires_grad and tensor([1, 2], dtype="float64").dtype == np.float64


def test_tensor_keeps_the_memory_order():
    a = np.ones((2, 4, 5, 3), np.float32).transpose(0, 3, 1, 2)
    assert tensor(a).data.strides == a.strides and copy.deepcopy(Tensor(a)).data.strides == a.strides


def test_numpy_and_back():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert x.numpy() is x.data and np.asarray(x) is x.data
    assert np.array(x) is not x.data and np.asarray(x, np.float64).dtype == np.float64
    assert np.shares_memory(np.from_dlpack(x), x.data)


def test_scalars():
    x = Tensor(2.5)
    assert x.item() == float(x) == 2.5 and int(x) == 2 and bool(x) and type(x.item()) is float
    assert [10, 20, 30][Tensor(1)] == 20
    for call in (Tensor([1.0, 2.0]).item, lambda: bool(Tensor([1, 2])), lambda: float(Tensor([1, 2]))):
        with pytest.raises(ArgumentError, match=r"one element"):
            call()
    with pytest.raises(TypeError, match="can be an index"):
        [1][Tensor(0.5)]


def test_sizes():
    x = Tensor(np.zeros((2, 3)))
    assert (x.shape, x.ndim, x.size, x.numel(), len(x)) == ((2, 3), 2, 6, 6, 2)
    with pytest.raises(TypeError, match="0-d"):
        len(Tensor(1.0))


def test_requires_grad():
    x = Tensor([1.0])
    assert not x.requires_grad and x.requires_grad_().requires_grad and x.is_leaf
    y = x * 2
    assert y.requires_grad and not y.is_leaf and not y.detach().requires_grad
    with pytest.raises(GradientError, match="only be switched off for a leaf"):
        y.requires_grad = False
    with pytest.raises(DtypeError, match=r"^requires_grad needs float32 or float64, got int64"):
        Tensor([1], requires_grad=True)


def test_copy_in_place():
    x = Tensor([1.0, 2.0])
    assert x.copy_(5).data.tolist() == [5, 5] and x.copy_(Tensor([1, 2])).version == 2
    with pytest.raises(GradientError, match=r"^copy_: a leaf that requires a gradient cannot be changed in place"):
        Tensor([1.0], requires_grad=True).copy_(1)


def test_deepcopy_is_for_leaves():
    x = Tensor([1.0], requires_grad=True)
    (x * x).backward()
    twin = copy.deepcopy(x)
    assert twin.requires_grad and twin.grad.item() == 2 and not np.shares_memory(twin.data, x.data)
    with pytest.raises(GradientError, match=r"^deepcopy: only leaf tensors"):
        copy.deepcopy(x * x)


def test_repr():
    x = Tensor([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)" and repr(x * 2) == "tensor([2.], op=mul)"
    assert repr(Tensor(np.ones(1))) == "tensor([1.], dtype=float64)" and "<Node" in repr((x * 2).node)
