"""tests.train.test_averaging_torch: averaged models and re-estimated statistics equal to PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, nn, train

torch = pytest.importorskip("torch")
swa_utils = torch.optim.swa_utils


def pair():
    """One small net in both libraries, float64, with the same weights."""
    ours = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)).double()
    t = torch.nn
    theirs = t.Sequential(t.Conv2d(2, 3, 3), t.BatchNorm2d(3), t.ReLU(), t.Flatten(), t.Linear(27, 4)).double()
    theirs.load_state_dict({name: torch.from_numpy(np.array(v.numpy())) for name, v in ours.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("decay", [None, 0.9])
def test_averages(decay, use_buffers):
    ours, theirs = pair()
    made = []
    for model, names in ((ours, train), (theirs, swa_utils)):
        function = None if decay is None else names.get_ema_multi_avg_fn(decay)
        made.append(names.AveragedModel(model, multi_avg_fn=function, use_buffers=use_buffers))
    rng = np.random.default_rng(0)
    for _ in range(6):
        x = rng.standard_normal((5, 2, 5, 5))
        ours(Tensor(x)), theirs(torch.from_numpy(x))  # moves the running statistics
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            change = rng.standard_normal(p.shape)
            p.data += change
            with torch.no_grad():
                q += torch.from_numpy(change)
        made[0].update_parameters(ours)
        made[1].update_parameters(theirs)
    batches = rng.standard_normal((3, 5, 2, 5, 5))
    compare(*made, skip_counters=use_buffers)
    train.update_bn([Tensor(x) for x in batches], made[0])
    swa_utils.update_bn([torch.from_numpy(x) for x in batches], made[1])
    compare(*made)


def compare(ours, theirs, skip_counters=False):
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    for name in mine:
        if not (skip_counters and name.endswith("num_batches_tracked")):  # PyTorch averages the counter and rounds
            np.testing.assert_allclose(mine[name].numpy(), other[name].numpy(), rtol=1e-6, atol=1e-12, err_msg=name)
