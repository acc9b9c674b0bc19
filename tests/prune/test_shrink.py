"""tests.prune.test_shrink: the net without the filters computes what the net with silenced filters computes."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn, prune
from fastcnn.errors import ArgumentError
from fastcnn.graph import trace


def random_net(rng, *, integers=False):
    """A chain of 1 to 3 convolutions and 1 to 3 linear layers with everything that may lie between them."""
    layers, channels, size = [], int(rng.integers(1, 4)), 12
    first = channels
    for _ in range(rng.integers(1, 4)):
        if size < 3:
            break
        width = int(rng.integers(2, 7))
        padding = int(rng.integers(0, 2))
        layers.append(nn.Conv2d(channels, width, 3, padding=padding, bias=bool(rng.integers(2))))
        channels, size = width, size + 2 * padding - 2
        extras = [nn.ReLU(), nn.Dropout(0.3)]
        if not integers:
            extras.append(nn.BatchNorm2d(channels, affine=bool(rng.integers(3))))
        if size >= 4:
            kinds = [nn.MaxPool2d(3, stride=2, padding=1), nn.MaxPool2d(2)]
            kinds += [] if integers else [nn.AvgPool2d(3, stride=2, padding=1), nn.AvgPool2d(2)]
            extras.append(kinds[rng.integers(len(kinds))])
        layers += [extras[i] for i in rng.permutation(len(extras))[: rng.integers(len(extras) + 1)]]
        size = trace(nn.Sequential(*layers), np.zeros((1, first, 12, 12), "f4")).ops[-1].shape[2]
    if rng.integers(2) and not integers:
        layers.append(nn.AdaptiveAvgPool2d(int(rng.integers(1, 3))))
    layers.append(nn.Flatten())
    features = trace(nn.Sequential(*layers), np.zeros((1, first, 12, 12), "f4")).ops[-1].shape[1]
    for _ in range(rng.integers(0, 3)):
        width = int(rng.integers(2, 9))
        layers += [nn.Linear(features, width, bias=bool(rng.integers(2))), nn.BatchNorm1d(width), nn.ReLU()][
            :: 2 if integers else 1
        ]
        features = width
    layers.append(nn.Linear(features, 5, bias=bool(rng.integers(2))))
    model = nn.Sequential(*layers)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.dtype.kind == "f":
            values = rng.integers(-3, 4, tensor.shape) if integers else rng.standard_normal(tensor.shape)
            tensor.data[...] = np.abs(values) + 0.5 if name.endswith("var") else values
    return (model if integers else model.double()), first


def random_plan(rng, model, x):
    keep = {}
    for name, filters in prune.plan(model, x, 0.0).items():
        count = int(rng.integers(1, len(filters) + 1))
        keep[name] = rng.permutation(len(filters))[:count]
    return keep


def outputs(model, x):
    with fc.no_grad():
        return model.eval()(fc.Tensor(x)).numpy()


@pytest.mark.parametrize("seed", range(60))
def test_masked_equals_removed(seed):
    rng = np.random.default_rng(seed)
    model, channels = random_net(rng)
    x = rng.standard_normal((3, channels, 12, 12))
    keep = random_plan(rng, model, x)
    masked, small = prune.mask(model, x, keep), prune.shrink(model, x, keep)
    expected = outputs(masked, x)
    np.testing.assert_allclose(outputs(small, x), expected, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(expected).max()))
    assert [name for name, _ in small.named_parameters()] == [name for name, _ in model.named_parameters()]
    for name, filters in keep.items():
        assert small.get_submodule(name).weight.shape[0] == len(filters)


@pytest.mark.parametrize("seed", range(20))
def test_masked_equals_removed_bit_for_bit_with_integers(seed):
    rng = np.random.default_rng(1000 + seed)
    model, channels = random_net(rng, integers=True)
    x = rng.integers(-3, 4, (2, channels, 12, 12)).astype("f4")
    keep = random_plan(rng, model, x)
    with fc.use_algorithm("direct"):  # exact sums; Winograd rounds
        expected = outputs(prune.mask(model, x, keep), x)
        np.testing.assert_array_equal(outputs(prune.shrink(model, x, keep), x), expected)


def test_the_constant_of_removed_filters_moves_into_the_next_bias():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9, 3))
    model[0].bias.data[...] = [1.0, 2.0, -1.0, 3.0]
    x = rng.standard_normal((2, 1, 8, 8)).astype("f4")
    small = prune.shrink(model, x, {"0": [0, 2]})
    weight = model[4].weight.numpy().reshape(3, 4, 9)
    expected = model[4].bias.numpy() + 2 * weight[:, 1].sum(1) + 3 * weight[:, 3].sum(1)
    np.testing.assert_allclose(small[4].bias.numpy(), expected, rtol=1e-5)
    np.testing.assert_array_equal(small[4].weight.numpy().reshape(3, 2, 9), weight[:, [0, 2]])


def test_the_constant_of_a_batch_norm_moves_into_the_next_mean():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3))
    model[1].bias.data[...] = [5.0, 7.0]
    x = np.random.default_rng(0).standard_normal((2, 1, 6, 6)).astype("f4")
    small = prune.shrink(model, x, {"0": [1]})
    np.testing.assert_allclose(small[3].running_mean.numpy(), -5.0 * model[2].weight.numpy()[:, 0].sum((1, 2)), rtol=1e-5)
    assert small[1].bias.numpy().tolist() == [7.0]


def test_a_padded_convolution_takes_over_no_constant():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(108, 2))
    x = np.zeros((1, 1, 6, 6), "f4")
    small = prune.shrink(model, x, {"0": [1]})
    np.testing.assert_array_equal(small[1].bias.numpy(), model[1].bias.numpy())
    assert prune.mask(model, x, {"0": [1]})[0].bias.numpy()[0] == 0


def test_the_original_is_untouched_and_the_result_shares_nothing():
    rng = np.random.default_rng(3)
    model, channels = random_net(rng)
    before = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    x = rng.standard_normal((1, channels, 12, 12))
    keep = random_plan(rng, model, x)
    for result in (prune.mask(model, x, keep), prune.shrink(model, x, keep), prune.shrink(model, x, {})):
        for tensor in (*result.parameters(), *result.buffers()):
            tensor.data[...] = 9
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])


def test_sizes_and_gradients_of_the_smaller_net():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
    x = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype("f4")
    small = prune.filters(model, x, 0.5)
    assert (small[0].out_channels, small[1].num_features, small[4].in_features) == (4, 4, 4 * 36)
    assert trace(small, x).macs == trace(model, x).macs // 2
    small.train()
    nn.functional.cross_entropy(small(fc.Tensor(x)), np.array([0, 1, 2, 3])).backward()
    assert all(p.grad.shape == p.shape for p in small.parameters())


def test_a_pruned_net_saves_and_loads_whole(tmp_path):
    from fastcnn.io import load, save

    rng = np.random.default_rng(5)
    model, channels = random_net(rng)
    x = rng.standard_normal((2, channels, 12, 12))
    small = prune.shrink(model, x, random_plan(rng, model, x))
    save(small, tmp_path / "small.safetensors")
    np.testing.assert_array_equal(outputs(load(tmp_path / "small.safetensors"), x), outputs(small, x))


@pytest.mark.parametrize(
    ("keep", "text"),
    [
        ({"9": [0]}, "'9' is not a layer"),
        ({"2": [0]}, "'2' is not a layer"),
        ({"0": []}, "at least one"),
        ({"0": [0, 0]}, "different ints"),
        ({"0": [0.5]}, "different ints"),
        ({"0": [2]}, "between 0 and 1"),
        ({"0": [-1]}, "between 0 and 1"),
    ],
)
def test_bad_plans(keep, text):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 3))
    for function in (prune.mask, prune.shrink):
        with pytest.raises(ArgumentError, match=text):
            function(model, np.zeros((1, 1, 2, 2), "f4"), keep)
