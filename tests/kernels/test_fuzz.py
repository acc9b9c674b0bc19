"""tests.kernels.test_fuzz: random geometry, layout, dtype, ISA and thread count; FASTCNN_FUZZ sets how many cases per op."""

from __future__ import annotations

from collections import defaultdict

import pytest

from .. import fuzz, harness
from ..problems import PROBLEMS

BLOCKS = 4
REJECTED: defaultdict[str, set[int]] = defaultdict(set)  # numbers of the vacuous cases of an op, of all its blocks


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("op", PROBLEMS)
def test_random_case(op, block):
    for number in range(block, fuzz.count(op), BLOCKS):
        case, how = fuzz.case(op, number)
        isa = harness.ISAS[number // BLOCKS % len(harness.ISAS)]
        try:
            for impl in harness.implementations(op):
                harness.check(op, impl, case, isa=isa, **how)
        except harness.VacuousCase:
            REJECTED[op].add(number)
    assert len(REJECTED[op]) <= fuzz.count(op) / 20


@pytest.mark.parametrize("op", PROBLEMS)
def test_cases_are_reproducible_and_varied(op):
    cases = [fuzz.case(op, number) for number in range(60)]
    assert cases == [fuzz.case(op, number) for number in range(60)]
    assert len({case for case, _ in cases}) > 30
