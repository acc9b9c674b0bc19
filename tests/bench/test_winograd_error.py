"""tests.bench.test_winograd_error: the table of errors on a small layer, and that it leaves the kernels as they were."""

from __future__ import annotations

import numpy as np
import pytest

from bench import winograd_error


@pytest.fixture(scope="module")
def case():
    return winograd_error.layer(24, 11, 2)


@pytest.mark.parametrize("direction", winograd_error.DIRECTIONS)
def test_every_row_computes_the_convolution(direction, case):
    given = winograd_error.draw(case)[direction]
    want = winograd_error.run(direction, tuple(a if a is None else a.astype(np.float64) for a in given), case, "direct")
    found = {name: winograd_error.errors(got, want) for name, got in winograd_error.rows(direction, given, case)}
    assert len(found) == 4
    assert all(0 < l2 < 2e-5 and l2 < largest for l2, largest in found.values())
    textbook, ours = list(found.values())[2:]
    assert ours[0] < 0.8 * textbook[0]


def test_points_are_put_back(case):
    given = winograd_error.draw(case)["forward"]
    before = winograd_error.run("forward", given, case, "winograd")
    assert not np.array_equal(before, winograd_error.by_points("forward", given, case, winograd_error.TEXTBOOK))
    np.testing.assert_array_equal(before, winograd_error.run("forward", given, case, "winograd"))


def test_table():
    lines = winograd_error.table(((8, 7),), 2).splitlines()
    assert len(lines) == 2 + 3 * 4
    assert lines[0] == "| direction | algorithm | 8@7 b2 |"
    assert lines[2].startswith("| forward | direct | ")
