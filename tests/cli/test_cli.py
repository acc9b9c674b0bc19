"""tests.cli.test_cli: every command works, and errors are one line and an exit code."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import cli, data, nn
from fastcnn.cli.main import COMMANDS, parser
from fastcnn.io import load, load_metadata, save
from fastcnn.threads import get_num_threads, set_num_threads


@pytest.fixture(autouse=True)
def one_thread():
    """A busy machine makes two threads wait for each other; what commands do is the same with one."""
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)


def test_info_prints_the_configuration(capsys):
    assert cli.main(["info", "--threads", "1"]) == 0
    text = capsys.readouterr().out
    assert fc.__version__ in text and "threads" in text.lower()


def test_demo(tmp_path, capsys):
    page = tmp_path / "page.html"
    assert cli.main(["demo", "--epochs", "2", "--fine-tuning-epochs", "1", "--report", str(page), "--seed", "1"]) == 0
    text = capsys.readouterr().out
    assert text.count("epoch ") == 3 and re.search(r"parameters\W+61,706\W+15,738\W+3.92x smaller", text)
    for row in ("accuracy", "file size", "multiply-adds", "latency p50, 1 image", "latency p50, 64 images"):
        assert row in text
    assert "<svg" in page.read_text()


def test_demo_without_the_plot_extra_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page = tmp_path / "page.html"
    assert cli.main(["demo", "--epochs", "0", "--fine-tuning-epochs", "0", "--report", str(page)]) == 0
    assert re.search(r"No .*page.html: .*'fastcnn\[plot\]'", capsys.readouterr().out) and not page.exists()


def test_demo_is_deterministic(tmp_path, capsys):
    def epochs(seed):
        assert (
            cli.main(["demo", "--epochs", "1", "--fine-tuning-epochs", "1", "--report", str(tmp_path / "p"), "--seed", seed]) == 0
        )
        return re.findall(r"(loss .*)", capsys.readouterr().out)

    first = epochs("3")
    assert first == epochs("3") and first != epochs("4")


def train(path, *options):
    arguments = ["train", "--epochs", "1", "--limit", "128", "--batch-size", "32", "--output", str(path), *options]
    assert cli.main(arguments) == 0


@pytest.mark.parametrize("model", ["lenet5", "vgg_small"])
def test_train_saves_a_model_that_says_what_it_expects(tmp_path, capsys, model):
    path = tmp_path / "m.safetensors"
    train(path, "--model", model)
    assert re.search(r"test accuracy [\d.]+%, saved to .*m.safetensors", capsys.readouterr().out)
    assert isinstance(load(path), nn.Module)
    described = json.loads(load_metadata(path)["input"])
    assert (described["channels"], described["height"], described["width"]) == (1, 28, 28)
    assert described["classes"] == [str(digit) for digit in range(10)]


def test_the_same_file_for_any_number_of_threads(tmp_path, capsys):
    for threads in ("1", "2"):
        train(tmp_path / threads, "--limit", "64", "--threads", threads)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_train_on_fashion_mnist_from_a_folder(tmp_path, capsys):
    import struct

    for kind in ("train", "t10k"):
        images, labels = np.zeros((40, 28, 28), "u1"), (np.arange(40) % 10).astype("u1")
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (tmp_path / f"{kind}-{name}-ubyte").write_bytes(head + array.tobytes())
    train(tmp_path / "m", "--dataset", "fashion-mnist", "--root", str(tmp_path))
    assert json.loads(load_metadata(tmp_path / "m")["input"])["classes"][9] == "Ankle boot"


def image_model(path, **changes):
    """Save a model whose class is the brighter half: "left" or "right"."""
    model = nn.Sequential(nn.AvgPool2d((4, 2)), nn.Flatten(), nn.Linear(2, 2, bias=False))
    model[2].weight.data[...] = [[9, 0], [0, 9]]
    described = {"channels": 1, "height": 4, "width": 4, "mean": [0.0], "std": [1.0], "classes": ["left", "right"], **changes}
    save(model, path, metadata={"input": json.dumps(described)})
    return str(path)


def picture(path, side):
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.zeros((8, 8), "u1")
    pixels[:, slice(0, 4) if side == "left" else slice(4, 8)] = 255
    image_module.fromarray(pixels).save(path)
    return str(path)


def test_predict(tmp_path, capsys):
    model = image_model(tmp_path / "m")
    left, right = picture(tmp_path / "l.png", "left"), picture(tmp_path / "r.png", "right")
    assert cli.main(["predict", model, left, right, "--top", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{left}: left 100.0%", f"{right}: right 100.0%"]
    assert cli.main(["predict", model, left, "--invert"]) == 0
    assert capsys.readouterr().out == f"{left}: right 100.0%, left 0.0%\n"


def test_a_trained_model_predicts_its_own_digits(tmp_path, capsys):
    image_module = pytest.importorskip("PIL.Image")
    path = tmp_path / "m"
    assert cli.main(["train", "--epochs", "4", "--batch-size", "32", "--output", str(path)]) == 0
    x, y = data.digits(False, normalize=False).batch(slice(0, 20))
    names = []
    for i in range(20):
        names.append(str(tmp_path / f"{i}.png"))
        image_module.fromarray((x[i, 0] * 255).round().astype("u1")).save(names[-1])
    capsys.readouterr()
    assert cli.main(["predict", str(path), *names, "--top", "1"]) == 0
    predicted = [int(line.rsplit(": ")[1].split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert np.mean(predicted == y) >= 0.7


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 2},
        {"height": 0},
        {"height": 10**9},
        {"height": "x"},
        {"std": [0.0]},
        {"classes": 3},
        {"classes": ["a"]},
        {"mean": None},
    ],
)
def test_predict_with_a_damaged_description(tmp_path, capsys, changes):
    model, image = image_model(tmp_path / "m", **changes), picture(tmp_path / "l.png", "left")
    assert cli.main(["predict", model, image]) == 1
    assert capsys.readouterr().err.startswith("fastcnn predict: ")


def test_predict_refuses_what_it_cannot_use(tmp_path, capsys):
    model, image = image_model(tmp_path / "m"), picture(tmp_path / "l.png", "left")
    save({"a": np.zeros(3)}, tmp_path / "state")
    save(nn.Sequential(nn.ReLU()), tmp_path / "bare")
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "cut.png").write_bytes((tmp_path / "l.png").read_bytes()[:40])
    cases = {
        ("state", image): "without the model's structure",
        ("bare", image): "does not say how its images are made",
        ("l.png", image): "is not a safetensors file",
        (model, "text.png"): "is not an image that Pillow reads",
        (model, "cut.png"): "cut.png",
        (model, "absent.png"): "No such file",
        ("absent", image): "No such file",
    }
    for (first, second), text in cases.items():
        assert cli.main(["predict", str(tmp_path / first), str(tmp_path / second)]) == 1
        error = capsys.readouterr().err
        assert text in error and error.count("\n") == 1


def test_bench(capsys):
    assert cli.main(["bench", "--batch", "1", "4", "--seconds", "0.01", "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("lenet5, float32, instruction set") and "1 threads" in lines[0]
    assert [line.split()[:2] for line in lines[2:]] == [["inference", "1"], ["inference", "4"], ["training", "4"]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["info", "--threads", "0"], "n must be an int between 1 and"),
        (["bench", "--batch", "0"], "--batch must be at least 1"),
        (["train", "--dataset", "fashion-mnist", "--root", "/nowhere/at/all"], "train-images-idx3-ubyte.gz"),
        (["train", "--limit", "0"], "gave no batch"),
        (["demo", "--epochs", "-1"], "epochs must be an int of at least 0"),
    ],
)
def test_errors_are_one_line(arguments, text, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"fastcnn {arguments[0]}: ") and text in error and error.count("\n") == 1


def test_every_command_has_help_and_wrong_arguments_end_with_2(capsys):
    names = [command.__name__.rpartition(".")[2] for command in COMMANDS]
    help_text = parser().format_help()
    for name in names:
        assert f"    {name} " in help_text
        with pytest.raises(SystemExit) as stopped:
            cli.main([name, "--help"])
        assert stopped.value.code == 0
    for arguments in ([], ["fly"], ["demo", "--seed", "x"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == 2


def test_python_m_and_a_closed_pipe():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-m", "fastcnn", "--version"], capture_output=True, text=True, env=environment)
    assert done.stdout == f"fastcnn {fc.__version__}\n"
    with subprocess.Popen(
        [sys.executable, "-m", "fastcnn", "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as p:
        p.stdout.close()
        assert b"Traceback" not in p.stderr.read()
