"""tests.autograd.test_tape: order, accumulation, and misuse of backward."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from fastcnn import Tensor, enable_grad, is_grad_enabled, no_grad
from fastcnn.autograd import Node, Pair, record, takes_pairs
from fastcnn.errors import DtypeError, GradientError, ShapeError


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def test_a_result_used_several_times_sums_its_gradients():
    x = leaf(3.0)
    y = x * x
    z = y * y + y + x
    z.backward()
    assert x.grad.item() == 4 * 27 + 2 * 3 + 1


def test_a_diamond_is_walked_once_per_node():
    calls = []

    def counted(x):
        def backward(dy, saved, case, needs):
            calls.append(1)
            return (dy,)

        return record("counted", (x,), x.data.copy(), backward)

    x = leaf(1.0)
    for _ in range(20):
        x = counted(x) + counted(x)
    x.backward()
    assert len(calls) == 40


def test_gradients_accumulate_until_they_are_dropped():
    x = leaf(1.0, 2.0)
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.data.tolist() == [6, 6]
    x.zero_grad()
    assert x.grad is None


@takes_pairs
def halves(dy, saved, case, needs):
    case.append(dy)
    return (sum(dy) if isinstance(dy, Pair) else dy * 1,)


def test_two_gradients_may_come_as_a_pair():
    seen, x = [], leaf(1.0, 2.0)
    y = record("halves", (x,), x.data * 1, halves, None, seen)
    (y * 3 + y * 4).sum().backward()
    assert isinstance(seen[0], Pair) and [g.tolist() for g in seen[0]] == [[4, 4], [3, 3]] and x.grad.data.tolist() == [7, 7]
    for users, total in ((1, 1), (3, 3), (4, 4)):  # one, and three and more, whose sum so far is one of two again
        y = record("halves", (x,), x.data * 1, halves, None, seen)
        x.zero_grad()
        sum([y * 1 for _ in range(users)], start=leaf(0.0, 0.0)).sum().backward()
        assert x.grad.data.tolist() == [total, total]


def test_hooks_and_retain_grad_see_the_sum_of_a_pair():
    seen, hooked, x = [], [], leaf(1.0, 2.0)
    for prepare in (lambda y: y.register_hook(lambda g: hooked.append(g.numpy().tolist())), Tensor.retain_grad):
        y = record("halves", (x,), x.data * 1, halves, None, seen)
        prepare(y)
        (y * 3 + y * 4).sum().backward()
    assert hooked == [[7, 7]] and y.grad.data.tolist() == [7, 7] and not any(isinstance(g, Pair) for g in seen)


def test_only_leaves_that_require_it_get_a_gradient():
    x, c = leaf(1.0, 2.0), Tensor([3.0, 4.0])
    y = x * c
    y.sum().backward()
    assert c.grad is None and y.grad is None and x.grad.data.tolist() == [3, 4]


def test_retain_grad_keeps_that_of_an_intermediate_result():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.data.tolist() == [6, 12]
    with pytest.raises(GradientError, match=r"^retain_grad"):
        Tensor([1.0]).retain_grad()


def test_gradients_of_two_leaves_have_their_own_memory():
    x, y = leaf(1.0), leaf(2.0)
    seed = np.ones(1, np.float32)
    (x + y).backward(seed)
    x.grad.data += 5
    assert y.grad.item() == 1 and seed.item() == 1


def test_a_read_only_gradient_can_be_added_to():
    x = leaf(1.0, 2.0)
    x.grad = Tensor(np.broadcast_to(np.float32(1), (2,)))
    x.sum().backward()
    assert x.grad.data.tolist() == [2, 2]


def test_backward_from_a_leaf():
    x = leaf(1.0)
    x.backward()
    assert x.grad.item() == 1


@pytest.mark.parametrize(
    ("gradient", "error", "text"),
    [
        (None, GradientError, r"^backward: gradient is needed for a tensor of more than one element \(shape=\(2,\)\)"),
        (np.ones(3, np.float32), ShapeError, r"^backward: gradient must have shape \(2,\), got \(3,\)"),
        (np.ones(2), DtypeError, r"^backward: gradient must have dtype float32, got float64"),
        (np.ones(2, complex), DtypeError, r"got complex128"),
    ],
)
def test_bad_gradient(gradient, error, text):
    y = leaf(1.0, 2.0) * 2
    with pytest.raises(error, match=text):
        y.backward(gradient)


def test_a_list_takes_the_dtype_of_the_tensor():
    x = leaf(1.0, 2.0)
    (x * 2).backward([1, 2])
    assert x.grad.data.tolist() == [2, 4]


def test_backward_without_graph():
    with pytest.raises(GradientError, match=r"^backward: the tensor does not require a gradient"):
        Tensor([1.0]).backward()


def test_second_backward_through_a_shared_part():
    x = leaf(2.0)
    y = x * x
    a, b = y * 2, y * 3
    a.backward()
    with pytest.raises(
        GradientError, match=r"^backward: the graph through 'mul' was already used and its saved arrays are freed"
    ):
        b.backward()


def test_saved_arrays_are_freed():
    x = leaf(2.0)
    y = x * x
    saved = weakref.ref(y.node.saved[0].base if y.node.saved[0].base is not None else y.node.saved[0])
    held = x.data
    node = y.node
    y.backward()
    assert node.saved is None and node.inputs == () and saved() is held


def test_changed_leaf_is_noticed():
    x = leaf(2.0)
    y = x * x
    with no_grad():
        x.copy_(3.0)
    with pytest.raises(GradientError, match=r"^backward: a tensor of shape \(1,\) that 'mul' saved was changed in place"):
        y.backward()


def test_changed_leaf_that_was_not_saved_does_no_harm():
    x = leaf(2.0)
    y = (x + 1) * 3
    with no_grad():
        x.copy_(3.0)
    y.backward()
    assert x.grad.item() == 3


def test_a_second_gradient_of_a_gradient_is_refused():
    x = leaf(2.0)
    (x * x).backward()
    with pytest.raises(GradientError, match="does not require a gradient"):
        x.grad.backward()


def test_nothing_refers_to_results():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)
        y = x * 2
        z = y + 1
        dead = weakref.ref(y)
        del y
        assert dead() is None and isinstance(z.node.inputs[0], Node)
    finally:
        gc.enable()


def test_very_long_chains_run_and_die():
    x = y = leaf(1.0)
    for _ in range(50_000):
        y = -y
    y.backward(retain_graph=True)
    del y
    assert x.grad.item() == 1


def test_no_grad_nests_decorates_and_is_left_by_exceptions():
    x = leaf(1.0)
    with no_grad():
        assert not is_grad_enabled() and not (x * 2).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
        assert not is_grad_enabled()
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert is_grad_enabled()

    @no_grad()
    def double(x):
        return x * 2

    assert not double(x).requires_grad and is_grad_enabled()


def test_no_grad_belongs_to_the_thread():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_record_and_run_backward_on_their_own():
    results = []

    def work(value):
        x = leaf(value)
        for _ in range(200):
            x.zero_grad()
            (x * x + x).backward()
        results.append((value, x.grad.item()))

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(results) == [(float(i), 2.0 * i + 1) for i in range(4)]
