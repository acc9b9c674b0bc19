"""tests.ops.test_gradients: gradient checks of every op, layer and loss on random shapes; 20 each, 200 with FASTCNN_STRESS."""

from __future__ import annotations

import os

import pytest

from fastcnn import Tensor, ops
from fastcnn.errors import GradientError

from . import gradients
from .draws import gradcheck

COUNT = 200 if os.environ.get("FASTCNN_STRESS") else 20


@pytest.mark.parametrize("name", gradients.FAMILIES)
def test_random_cases(name):
    for number in range(COUNT):
        function, inputs = gradients.case(name, number)
        try:
            gradcheck(function, inputs, seed=number)
        except GradientError as error:
            raise AssertionError(f"{name}, case {number}, shapes {[a.shape for a in inputs]}: {error}") from error


def test_the_families_are_many_and_cover_every_op():
    assert COUNT * len(gradients.FAMILIES) >= 400
    public = {name for name in ops.__all__ if name.islower()}
    assert public == public & (gradients.FAMILIES.keys() | gradients.ELSEWHERE.keys())
    shapes = {tuple(a.shape for a in gradients.case(name, n)[1]) for name in gradients.FAMILIES for n in range(8)}
    assert len(shapes) > 250


@pytest.mark.parametrize("name", ["conv2d", "group_norm", "mse_loss", "layers"])
def test_a_wrong_gradient_is_caught(name):
    function, inputs = gradients.case(name, 1)

    def wrong(x, *rest):
        y = function(x, *rest)
        return y + 0.01 * Tensor(x.data).sum() * y

    with pytest.raises(GradientError):
        gradcheck(wrong, inputs)
