"""tests.data.test_windows: windows drawn ahead and done with the choice and the scale: the same images as step by step."""

import numpy as np
import pytest

from fastcnn import data
from fastcnn.data.windows import DRAWN, Windows, leading_windows
from fastcnn.errors import ShapeError
from fastcnn.kernels.pixels import map_pixels

MOVES = [
    data.RandomCrop((7, 9), padding=2, fill=3),
    data.RandomHorizontalFlip(),
    data.RandomVerticalFlip(),
    data.RandomShift(2, 3),
]
NORMAL = data.Normalize([0.1, 0.2, 0.3], [0.5, 1, 2])


def images(n=50, dtype="u1"):
    # channels-last in memory
    x = np.random.default_rng(0).integers(0, 256, (n, 8, 10, 3)).astype(dtype).transpose(0, 3, 1, 2)
    return x, np.arange(n)


class Plain(data.ImageDataset):
    """Offers `stored` and nothing else."""

    shape, normalize = (3, 8, 10), NORMAL

    def __init__(self, x, labels):
        self.x, self.labels = x, labels

    def stored(self, index):
        return self.x[index], self.labels[index]


def by_hand(x, y, seed, epoch, position=0):
    """Each transform on its own, with the windows of Windows."""
    drawn = Windows(MOVES, x.shape[1:], seed, epoch)
    for windows, transform in zip(drawn.at(position, len(y)), MOVES, strict=True):
        h, w = x.shape[2:]
        oh, ow = transform.output_size(h, w)
        rows = windows[:, :1] + windows[:, 1:2] * np.arange(oh)
        columns = windows[:, 2:3] + windows[:, 3:] * np.arange(ow)
        rows, columns = (np.where((at >= 0) & (at < size), at, -1) for at, size in ((rows, h), (columns, w)))
        x = map_pixels(x, rows, columns, 3)
    return x


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_one_pass_is_the_same_as_many(dtype, tmp_path):
    x, labels = images(dtype=dtype)
    np.savez(tmp_path / "set.npz", images=x.transpose(0, 2, 3, 1), labels=labels)
    sets = {
        "array": data.ArrayDataset(x, labels, normalize=NORMAL),
        "C order": data.ArrayDataset(np.ascontiguousarray(x), labels, normalize=NORMAL),
        "mapped": data.MappedDataset(tmp_path / "set.npz", layout="NHWC", normalize=NORMAL),
        "plain": Plain(x, labels),
    }
    sets["subset"] = data.Subset(data.Subset(sets["array"], np.arange(50)), np.arange(50))
    sets["joined"] = data.ConcatDataset(
        [data.Subset(sets["array"], np.arange(20)), data.Subset(sets["array"], np.arange(20, 50))]
    )
    for name, dataset in sets.items():
        loader = data.DataLoader(dataset, 16, shuffle=True, seed=5, transform=[*MOVES, data.Cutout(1, p=0)])
        straight = data.DataLoader(dataset, 16, shuffle=True, seed=5, transform=MOVES)
        position = 0
        for (a, y), (b, z) in zip(loader, straight, strict=True):
            wanted = NORMAL(by_hand(x[y], y, 5, 0, position))
            position += len(y)
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)
            np.testing.assert_array_equal(b.numpy(), wanted, err_msg=name)
            assert y.tolist() == z.tolist() and b.shape[1:] == (3, 7, 9)


def test_windows_depend_on_the_position_only():
    windows = Windows(MOVES, (3, 8, 10), 1, 0)
    whole = windows.at(0, 2 * DRAWN + 100)
    assert whole.shape == (4, 2 * DRAWN + 100, 4) and len(np.unique(whole, axis=1)[0]) > 1000
    for first, count in ((0, 1), (DRAWN - 3, 7), (DRAWN, DRAWN), (5, 2 * DRAWN), (2 * DRAWN, 3), (7, 0)):
        np.testing.assert_array_equal(windows.at(first, count), whole[:, first : first + count])
    assert not np.array_equal(Windows(MOVES, (3, 8, 10), 1, 1).at(0, 50), whole[:, :50])
    assert not np.array_equal(Windows(MOVES, (3, 8, 10), 2, 0).at(0, 50), whole[:, :50])
    x, labels = images()
    dataset = data.ArrayDataset(x, labels)
    small, large = ([x.numpy() for x, _ in data.DataLoader(dataset, n, seed=3, transform=MOVES)] for n in (7, 50))
    np.testing.assert_array_equal(np.concatenate(small), large[0])


def test_which_transforms_are_taken_together():
    flip, cutout = data.RandomHorizontalFlip(), data.Cutout(2)

    class Own(data.RandomHorizontalFlip):
        def __call__(self, x, generator):
            return x

    for transforms, count in (
        ([], 0),
        ([flip, data.RandomShift(1)], 2),
        ([flip, data.RandomShift(1, fill=2), flip, data.RandomShift(1)], 3),  # another value stands beside the image
        ([data.RandomShift(1, fill=(1, 2, 3)), data.RandomCrop(3, fill=[1, 2, 3])], 2),
        ([data.RandomShift(1, padding_mode="edge"), flip], 0),
        ([flip, cutout, flip], 1),
        ([Own(), flip], 0),
    ):
        assert leading_windows(transforms) == count, transforms
    with pytest.raises(ShapeError, match=r"size \(9, 9\) is larger than the padded image \(8, 10\)"):
        next(iter(data.DataLoader(data.ArrayDataset(*images()), 4, transform=data.RandomCrop(9))))


def test_what_a_subclass_redefines_is_asked_for():
    x, labels = images(dtype="f4")

    class Dark(data.ArrayDataset):
        def stored(self, index):
            stored, y = super().stored(index)
            return stored * 0, y

    class Half(data.ArrayDataset):
        def finish(self, stored):
            return stored / 2

    for dataset, wanted in ((Dark(x, labels), x * 0), (Half(x, labels), x / 2), (data.Subset(Half(x, labels), labels), x / 2)):
        for loader in (data.DataLoader(dataset, 50), data.DataLoader(dataset, 50, transform=data.RandomShift(0))):
            np.testing.assert_array_equal(next(iter(loader))[0].numpy(), wanted)
    lying = Plain(x[:, :2], labels)
    with pytest.raises(ShapeError, match=r"Plain: images of shape \(3, 8, 10\) are declared, stored ones are \(2, 8, 10\)"):
        lying.batch([0])


def test_indices_beyond_the_images():
    dataset = data.ArrayDataset(*images())
    with pytest.raises(IndexError, match="50"):
        dataset.batch([50])
    np.testing.assert_array_equal(dataset.batch([-1])[0], dataset.batch([49])[0])
