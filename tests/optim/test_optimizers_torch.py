"""tests.optim.test_optimizers_torch: twenty steps of a small net, equal to PyTorch's in float64."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn.nn.functional as F
from fastcnn import nn

from ..ops.draws import real
from .test_optimizers import ROWS

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def in_float64():
    """PyTorch keeps NAdam's product of momenta in its default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def nets():
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 3)).double()
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize(("make", "options"), [(row[0], row[2]) for row in ROWS if hasattr(torch.optim, row[0].__name__)])
def test_twenty_steps(make, options):
    torch.manual_seed(0)
    ours, theirs = nets()
    mine = make(ours.parameters(), **options)
    other = getattr(torch.optim, make.__name__)(theirs.parameters(), **options)
    for step in range(20):
        x, target = real(6, 1, 6, 6, seed=step), np.arange(6) % 3
        a = F.cross_entropy(ours(x), target)
        b = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(x)), torch.from_numpy(target))
        assert a.item() == pytest.approx(b.item(), rel=1e-6)
        for optimizer, loss in ((mine, a), (other, b)):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-6, atol=1e-9)
