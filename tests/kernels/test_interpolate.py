"""tests.kernels.test_interpolate: every interpolation kernel against the reference."""

from __future__ import annotations

import pytest

from fastcnn.errors import ShapeError

from .. import harness
from ..cases import INTERPOLATE, LAYOUT_ROWS, LAYOUTS

OPS = ("interpolate_forward", "interpolate_backward")


def rows(names=None):
    return [(op, impl, name) for op in OPS for impl, name in harness.rows(op, names)]


@pytest.mark.parametrize(("op", "impl", "name"), rows(), ids=harness.row_id)
def test_equals_reference(op, impl, name):
    harness.check_everywhere(op, impl, INTERPOLATE[name])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("op", "impl", "name"), rows(LAYOUT_ROWS["interpolate"]), ids=harness.row_id)
def test_every_array_layout(op, impl, name, layout):
    harness.check_everywhere(op, impl, INTERPOLATE[name], layout=layout)


@pytest.mark.parametrize("isa", harness.ISAS)
@pytest.mark.parametrize("op", OPS)
def test_same_bits_for_every_thread_count(op, isa):
    for impl in harness.implementations(op):
        for case in (INTERPOLATE["large"], INTERPOLATE["bilinear_down"]):
            harness.check_threads(op, impl, case, isa=isa)


@pytest.mark.parametrize("op", OPS)
def test_table_that_names_no_pixel(op):
    first, tables, *rest = harness.arguments(op, INTERPOLATE["bilinear_up"])
    for wrong in (-1, 2**40):
        rows = (tables[0][0].copy(), *tables[0][1:])
        rows[0][-1] = wrong
        for impl in harness.implementations(op):
            with pytest.raises(ShapeError, match=r"^interpolate: the table must name pixels of an axis of 4"):
                impl.run(first, (rows, tables[1]), *rest)
