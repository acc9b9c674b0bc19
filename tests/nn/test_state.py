"""tests.nn.test_state: loading a state dict changes everything or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, manual_seed, nn
from fastcnn.errors import StateError


def net():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def state(model):
    return {key: value.data.copy() for key, value in model.state_dict().items()}


def test_round_trip_gives_the_same_outputs():
    manual_seed(0)
    a, b = net(), net()
    x = np.random.default_rng(0).standard_normal((5, 2, 4, 4)).astype(np.float32)
    a(x)
    result = b.load_state_dict(a.state_dict())
    assert result == ([], []) and result.missing_keys == []
    assert np.array_equal(a.eval()(x).data, b.eval()(x).data)
    assert b[1].num_batches_tracked.item() == 1
    assert not np.shares_memory(a[0].weight.data, b[0].weight.data)


def test_arrays_of_any_layout_and_wider_floats_load_in_place():
    model = net()
    memory, version = model[0].weight.data, model[0].weight.version
    values = {
        key: np.asarray(value, np.float64 if value.dtype.kind == "f" else None, order="C") for key, value in state(model).items()
    }
    values["0.weight"] = values["0.weight"] + 1
    model.load_state_dict(values)
    assert model[0].weight.data is memory and model[0].weight.version == version + 1 and memory.dtype == np.float32
    np.testing.assert_allclose(memory, values["0.weight"], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda v: v.pop("0.bias"), r"missing keys: 0.bias$"),
        (lambda v: v.update(more=np.ones(1)), r"unexpected keys: more$"),
        (lambda v: v.update({"3.weight": np.ones((2, 3))}), r"3.weight: shape \(2, 3\) does not fit \(2, 12\)$"),
        (lambda v: v.update({"3.bias": np.ones(2, complex)}), r"3.bias: tensor: dtype must be .* got complex128"),
        (lambda v: v.update({"1.num_batches_tracked": np.array(1.5)}), r"1.num_batches_tracked: float64 does not fit int64"),
        (lambda v: v.update({"3.bias": None}), r"3.bias: tensor: dtype must be .* got object"),
    ],
)
def test_a_wrong_state_changes_nothing(change, text):
    model = net()
    before, values = state(model), {key: value + 1 for key, value in state(net()).items()}
    change(values)
    with pytest.raises(StateError, match=r"^load_state_dict: Sequential: " + text):
        model.load_state_dict(values)
    assert all(np.array_equal(before[key], value) for key, value in state(model).items())


def test_not_strict_reports_what_did_not_match():
    model = net()
    values = state(model)
    del values["0.bias"]
    values["more"] = np.ones(1)
    values["3.bias"] = np.full(2, 9, np.float32)
    assert model.load_state_dict(values, strict=False) == (["0.bias"], ["more"])
    assert model[3].bias.data.tolist() == [9, 9]
    with pytest.raises(StateError, match=r"3.bias: shape \(3,\) does not fit \(2,\)"):
        model.load_state_dict({"3.bias": np.ones(3)}, strict=False)


def test_loaded_tensors_are_copied():
    model, bias = net(), Tensor(np.zeros(2, np.float32))
    model.load_state_dict({"3.bias": bias}, strict=False)
    bias.data[...] = 5
    assert model[3].bias.data.tolist() == [0, 0]
