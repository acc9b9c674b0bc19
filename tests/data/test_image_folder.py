"""tests.data.test_image_folder: folders of image files of several formats, sizes and modes, and damaged ones."""

import sys

import numpy as np
import pytest

from fastcnn import data
from fastcnn.errors import ArgumentError, FileFormatError, MissingExtraError, ShapeError

Image = pytest.importorskip("PIL.Image")


def picture(number, height=6, width=8, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(number).integers(0, 256, shape).astype("u1")


def folder(tmp_path, names=("b/2.png", "a/1.png", "a/0.bmp", "a/deeper/x.PNG", "c/3.ppm"), **options):
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number, **options)).save(path)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "readme.png").write_text("not in a class folder")
    return tmp_path


def test_classes_and_files_are_sorted(tmp_path):
    stored = data.ImageFolder(folder(tmp_path))
    assert stored.classes == ("a", "b", "c") and stored.labels.tolist() == [0, 0, 0, 1, 2]
    assert [path.name for path in stored.paths] == ["0.bmp", "1.png", "x.PNG", "2.png", "3.ppm"]
    assert stored.shape == (3, 6, 8) and len(stored) == 5
    pictures = np.stack([picture(number) for number in (2, 1, 3, 0, 4)]).transpose(0, 3, 1, 2)
    for index in (slice(None), slice(1, 4), np.array([4, 0, 0]), np.array([-1])):
        x, y = stored.batch(index)
        np.testing.assert_allclose(x, pictures[index] / 255, rtol=1e-6)
        np.testing.assert_array_equal(y, stored.labels[index])
        assert x.dtype == np.float32 and x.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(stored.in_memory().images, pictures)
    assert stored.in_memory().classes == stored.classes


def test_grey(tmp_path):
    stored = data.ImageFolder(folder(tmp_path, channels=1, names=("a/0.png",)), mode="L", normalize=data.Normalize(0.5, 0.5))
    np.testing.assert_allclose(stored[0][0][0], picture(0, channels=1) / 127.5 - 1, atol=1e-6)
    rgb = data.ImageFolder(tmp_path)[0][0]
    np.testing.assert_array_equal(rgb[0], rgb[2])


@pytest.mark.parametrize(
    ("mode", "pixel", "grey"),
    [("1", 1, 255), ("LA", (200, 9), 200), ("RGBA", (50, 50, 50, 0), 50), ("I;16", 40000, 156), ("CMYK", (0, 0, 0, 55), 200)],
)
def test_other_modes(tmp_path, mode, pixel, grey):
    (tmp_path / "a").mkdir()
    suffix = ".tif" if mode == "CMYK" else ".png"
    Image.new(mode, (3, 2), pixel).save(tmp_path / "a" / f"0{suffix}")
    assert (data.ImageFolder(tmp_path, mode="L").stored(slice(None))[0] == grey).all()


def test_size_by_stretching_and_by_cropping(tmp_path):
    (tmp_path / "a").mkdir()
    wide = np.zeros((10, 40, 3), "u1")
    wide[:, 15:25] = (250, 100, 0)
    Image.fromarray(wide).save(tmp_path / "a" / "0.png")
    middle, _ = data.ImageFolder(tmp_path, 10).stored(slice(None))
    assert (middle[0].transpose(1, 2, 0) == wide[:, 15:25]).all()  # the square in the middle, at its own scale
    whole, _ = data.ImageFolder(tmp_path, (5, 20), fit="stretch").stored(slice(None))
    np.testing.assert_array_equal(whole[0, 0, 2, [2, 10, 17]], [0, 250, 0])


def test_large_jpegs_are_reduced_while_they_are_decoded(tmp_path):
    (tmp_path / "a").mkdir()
    y, x = np.mgrid[:800, :1200]
    Image.fromarray((y * 0.2 + x * 0.05).astype("u1")).save(tmp_path / "a" / "0.jpg", quality=95)
    small, _ = data.ImageFolder(tmp_path, (80, 120), mode="L").stored(slice(None))
    wanted = (y * 0.2 + x * 0.05).reshape(80, 10, 120, 10).mean((1, 3))
    assert np.abs(small[0, 0] - wanted).max() < 4


def test_images_of_several_sizes_need_a_size(tmp_path):
    folder(tmp_path, names=("a/0.png", "a/1.png"))
    Image.fromarray(picture(0, 7, 8)).save(tmp_path / "a" / "2.png")
    with pytest.raises(ShapeError, match=r"2.png is \(7, 8\), .*0.png is \(6, 8\)"):
        data.ImageFolder(tmp_path).batch(slice(None))
    assert data.ImageFolder(tmp_path, 4).batch(slice(None))[0].shape == (3, 3, 4, 4)


@pytest.mark.parametrize("content", [b"", b"junk", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cut", "float"])
def test_bad_files_are_reported_with_their_path(tmp_path, content):
    folder(tmp_path, names=("a/0.png", "a/1.png"), height=60)
    bad = tmp_path / "a" / "1.png"
    if content == "float":
        Image.new("F", (3, 2), 0.5).save(tmp_path / "a" / "1.tif")
        bad.unlink()
        bad = tmp_path / "a" / "1.tif"
    else:
        bad.write_bytes(bad.read_bytes()[:900] if content == "cut" else content)
    stored = data.ImageFolder(tmp_path)
    stored.batch(np.array([0]))
    with pytest.raises(FileFormatError, match=f"{bad} cannot be read"):
        stored.batch(slice(None))
    loader = data.DataLoader(stored, 1)
    with pytest.raises(FileFormatError, match=str(bad)):
        list(loader)


def test_an_image_that_claims_too_much_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "0.png"
    Image.new("L", (9000, 9000)).save(path)
    with pytest.raises(FileFormatError, match=f"{path} claims .9000, 9000. pixels"):
        data.ImageFolder(tmp_path, 8)[0]


def test_bad_arguments(tmp_path, monkeypatch):
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ArgumentError, match=f"{root} must hold one folder per class"):
            data.ImageFolder(root)
    for options in ({"mode": "CMYK"}, {"fit": "tile"}, {"size": 0}):
        with pytest.raises(ArgumentError, match=r"ImageFolder: .*mode|ImageFolder: .*size"):
            data.ImageFolder(folder(tmp_path), **options)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastcnn\[data\]'"):
        data.ImageFolder(tmp_path)
