"""tests.io.test_model_file: models of any width come back whole from one file; descriptions that lie are refused."""

import json

import numpy as np
import pytest
import safetensors.numpy as safetensors

import fastcnn as fc
from fastcnn import nn, rng
from fastcnn.errors import ArgumentError, DtypeError, FileFormatError
from fastcnn.io import load, load_metadata, save
from fastcnn.io.safetensors_file import read_arrays, write_arrays
from fastcnn.io.structure import describe


def net():
    features = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, bias=False),
        nn.BatchNorm2d(5, eps=1e-3, momentum=None),
        nn.ReLU(),
        nn.MaxPool2d((2, 1), stride=2, ceil_mode=True),
        nn.Conv2d(5, 7, (3, 2), stride=(1, 2), padding=(1, 0, 0, 1), groups=1),
        nn.ReLU6(),
        nn.AvgPool2d(2, 1, count_include_pad=False),
        nn.AdaptiveAvgPool2d((2, None)),
    )
    return nn.Sequential({"features": features, "flatten": nn.Flatten(), "drop": nn.Dropout(0.1), "head": nn.Linear(14, 3)})


def example(dtype="f4"):
    return np.random.default_rng(1).standard_normal((2, 2, 8, 6)).astype(dtype)


def outputs(model, x):
    with fc.no_grad():
        return model.eval()(fc.Tensor(x)).numpy()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_chain_comes_back_whole(tmp_path, dtype):
    model = net().to(dtype)
    model.train()(fc.Tensor(example(dtype)))  # moves the running statistics
    save(model, tmp_path / "m.safetensors")
    loaded = load(tmp_path / "m.safetensors")
    assert not loaded.training and repr(loaded) == repr(model)
    assert list(loaded.state_dict()) == list(model.state_dict())
    np.testing.assert_array_equal(outputs(loaded, example(dtype)), outputs(model, example(dtype)))


def test_loading_leaves_the_global_generator_alone(tmp_path):
    save(net(), tmp_path / "m")
    before = rng.get_state()
    load(tmp_path / "m")
    assert rng.get_state() == before


def test_other_models_are_saved_as_state(tmp_path):
    class Own(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(2, 3)

        def forward(self, x):
            return self.fc(x) + 1

    class Doubled(nn.Sequential):
        def forward(self, x):
            return super().forward(x) * 2

    shared = nn.Linear(2, 2)
    for model in (Own(), Doubled(nn.Linear(2, 2)), nn.Sequential(shared, shared), nn.Sequential(Own())):
        assert describe(model) is None
        save(model, tmp_path / "m")
        state = load(tmp_path / "m")
        assert {name: t.shape for name, t in state.items()} == {name: t.shape for name, t in model.state_dict().items()}
        model.load_state_dict(state)


def test_state_dictionaries_and_metadata(tmp_path):
    save({"a": np.ones(3, "f2"), "n": np.int64(4)}, tmp_path / "s", metadata={"classes": "cat dog"})
    state = load(tmp_path / "s")
    assert state["a"].dtype == np.float32 and state["n"].item() == 4
    assert load_metadata(tmp_path / "s") == {"classes": "cat dog"}
    with pytest.raises(DtypeError, match="a Module or a mapping"):
        save([1, 2], tmp_path / "s")
    with pytest.raises(ArgumentError, match="strings to strings"):
        save({}, tmp_path / "s", metadata={"a": 1})


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model = net()
    for i in range(6):
        save(model, tmp_path / str(i), metadata={"a": "1", "b": "2", "c": "3"})
    assert len({(tmp_path / str(i)).read_bytes() for i in range(6)}) == 1


@pytest.mark.parametrize("metadata", [3, ["a"], {"a": 1}])
def test_metadata_that_is_not_text(tmp_path, metadata):
    write_arrays(tmp_path / "f", {}, {"fastcnn": json.dumps({"format": 1, "metadata": metadata})})
    with pytest.raises(FileFormatError, match="not text"):
        load_metadata(tmp_path / "f")


def good():
    return {"format": 1, "model": describe(nn.Sequential({"a": nn.Conv2d(1, 2, 3), "b": nn.ReLU()}))}


def changed(**options):
    record = json.loads(json.dumps(good()))
    record["model"]["layers"][0][1]["options"].update(options)
    return record


def typed(kind):
    record = json.loads(json.dumps(good()))
    record["model"]["layers"][1][1]["type"] = kind
    return record


def named(name):
    record = json.loads(json.dumps(good()))
    record["model"]["layers"][1][0] = name
    return record


def deep():
    record = good()
    for _ in range(30):
        record["model"] = {"type": "Sequential", "layers": [["x", record["model"]]]}
    return record


LIES = {
    "not JSON": "nope",
    "deep JSON": "[" * 100_000,
    "a list": [],
    "another format": {**good(), "format": 2},
    "format missing": {"model": good()["model"]},
    "model a string": {"format": 1, "model": "os.system"},
    "model a list": {"format": 1, "model": [1]},
    "layers missing": {"format": 1, "model": {"type": "Sequential"}},
    "layers numbers": {"format": 1, "model": {"type": "Sequential", "layers": [1, 2]}},
    "unknown kind": typed("Module"),
    "kind of another module": typed("functional"),
    "dunder kind": typed("__class__"),
    "kind a list": typed(["ReLU"]),
    "name is a method": named("forward"),
    "name is private": named("__dict__"),
    "name with a dot": named("a.b"),
    "name twice": named("a"),
    "empty name": named(""),
    "name a number": named(1),
    "too wide": changed(out_channels=2**40),
    "negative": changed(out_channels=-2),
    "in_channels": changed(in_channels=2**31),
    "groups 0": changed(groups=0),
    "groups 3": changed(groups=3),
    "bool as int": changed(in_channels=True),
    "float as int": changed(in_channels=1.0),
    "NaN": changed(stride=float("nan")),
    "kernel a string": changed(kernel_size="3"),
    "kernel of five": changed(kernel_size=[3, 3, 3, 3, 3]),
    "padding other": changed(padding="full"),
    "padding negative": changed(padding=-1),
    "stride 0": changed(stride=0),
    "extra option": changed(command="rm"),
    "no bias in the description": changed(bias=False),
    "fewer arrays": {"format": 1, "model": describe(nn.Sequential({"b": nn.ReLU()}))},
    "more arrays": {"format": 1, "model": describe(nn.Sequential({"a": nn.Conv2d(1, 2, 3), "c": nn.Linear(2, 2)}))},
    "too deep": deep(),
    "too many layers": {
        "format": 1,
        "model": {"type": "Sequential", "layers": [[str(i), {"type": "ReLU", "options": {}}] for i in range(10_001)]},
    },
}


@pytest.mark.parametrize("name", LIES)
def test_descriptions_that_lie(tmp_path, name):
    record = LIES[name]
    state = nn.Sequential({"a": nn.Conv2d(1, 2, 3)}).state_dict()
    write_arrays(tmp_path / "f", state, {"fastcnn": record if isinstance(record, str) else json.dumps(record)})
    with pytest.raises(FileFormatError, match=r"load: .*/f "):
        load(tmp_path / "f")


def test_mutated_descriptions_never_do_worse_than_a_clear_error(tmp_path):
    state = {"a.weight": np.zeros((2, 1, 3, 3)), "a.bias": np.zeros(2)}
    text = json.dumps(good())
    rng = np.random.default_rng(0)
    survived = 0
    for _ in range(300):
        letters = list(text)
        for _ in range(rng.integers(1, 3)):
            letters[rng.integers(len(letters))] = str(rng.choice(list('0123456789-,:{}[]"atrue\\')))
        (tmp_path / "f").write_bytes(safetensors.save(state, {"fastcnn": "".join(letters)}))
        try:
            load(tmp_path / "f")
            survived += 1
        except FileFormatError:
            pass
    assert survived < 250


def test_a_file_of_another_library_is_a_state(tmp_path):
    write_arrays(tmp_path / "f", {"conv.weight": np.zeros((1, 1, 3, 3), "f4")}, {"format": "pt"})
    assert load(tmp_path / "f")["conv.weight"].shape == (1, 1, 3, 3)
    assert load_metadata(tmp_path / "f") == read_arrays(tmp_path / "f")[1] == {"format": "pt"}
