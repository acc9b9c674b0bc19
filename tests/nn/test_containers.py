"""tests.nn.test_containers: Sequential and ModuleList behave as lists of modules."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import nn
from fastcnn.errors import DtypeError


@pytest.fixture
def row():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_applies_in_order(row):
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(row(x).data, row[2](row[1](row[0](x))).data)


def test_index_slice_and_iterate(row):
    assert row[0] is next(iter(row)) and row[-1] is row[2] and len(row) == 3
    head = row[:2]
    assert (
        isinstance(head, nn.Sequential)
        and list(head) == [row[0], row[1]]
        and list(row[1:].state_dict()) == ["2.weight", "2.bias"]
    )
    with pytest.raises(IndexError):
        row[3]


def test_replace_keeps_the_place(row):
    row[1] = nn.Identity()
    assert [type(m).__name__ for m in row] == ["Linear", "Identity", "Linear"]
    with pytest.raises(DtypeError, match=r"^Sequential: \[1\] must be a Module, got int"):
        row[1] = 3


def test_delete_and_insert_number_anew(row):
    del row[1]
    assert list(row.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    row.insert(1, nn.Dropout()).append(nn.Identity()).extend([nn.ReLU()])
    assert [type(m).__name__ for m in row] == ["Linear", "Dropout", "Linear", "Identity", "ReLU"]
    assert list(row.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_given_names():
    named = nn.Sequential({"first": nn.Linear(3, 4), "act": nn.ReLU()})
    assert list(named.state_dict()) == ["first.weight", "first.bias"] and named.first is named[0]


@pytest.mark.parametrize(
    ("modules", "text"),
    [
        ([nn.ReLU(), 3], r"1 must be a Module, got int"),
        ([lambda x: x], r"0 must be a Module, got function"),
        ([{"a.b": nn.ReLU()}], r"'a.b' cannot be the name of a submodule"),
        ([{"forward": nn.ReLU()}], r"'forward' cannot be the name of a submodule"),
    ],
)
def test_bad_modules(modules, text):
    with pytest.raises(DtypeError, match=r"^Sequential: " + text):
        nn.Sequential(*modules)


def test_empty_is_the_identity():
    x = np.ones(3, np.float32)
    assert nn.Sequential()(x) is x


def test_module_list_registers_its_modules():
    class Net(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))

    assert [name for name, _ in Net().named_parameters()] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ]
    with pytest.raises(NotImplementedError, match="ModuleList defines no forward"):
        Net().layers(1)
