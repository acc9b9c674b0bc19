"""tests.train.test_capture_hooks: hooks that come and go between calls of a captured step, or that the step registers."""

from __future__ import annotations

import pytest

from fastcnn.errors import CaptureWarning

from .test_capture_guards import Pair


def test_hooks_that_come_and_go():
    pair, handles = Pair(), []
    pair.run()
    for add in (
        lambda model, _: handles.append(model[2].register_forward_hook(lambda module, inputs, output: output * 2)),
        lambda model, _: handles.append(model[0].weight.register_hook(lambda g: g * 0.5)),
    ):
        pair.each(add)
        before = pair.step.report().replayed
        pair.run(3)  # one call op by op, one recorded, one replayed
        assert pair.step.report().replayed == before + 1
    for handle in handles:
        handle.remove()
    before = pair.step.report().replayed
    assert pair.run(3).replayed == before + 1


def test_a_step_that_registers_hooks():
    pair = Pair(lambda model, loss: model[0].weight.register_hook(lambda g: g * 1.0))
    with pytest.warns(CaptureWarning, match="a hook on the gradient of a tensor of shape .* that the step itself registers"):
        pair.run(3)
    assert pair.step.report().replayed == 0
