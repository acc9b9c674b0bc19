"""tests.io.test_structure: every layer of nn comes back from a file as it was, or is known to be none that a file holds."""

import copy
import json

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import nn
from fastcnn.errors import FileFormatError
from fastcnn.io import load, save
from fastcnn.io.safetensors_file import read_arrays, write_arrays
from fastcnn.io.structure import BLOCKS, LAYERS, build, describe

from ..layer_examples import EXAMPLES, NOT_IN_A_CHAIN, layer_classes


def numbers(model):
    """Give every parameter and running statistic a value of its own, so that a tensor that is not loaded shows."""
    rng = np.random.default_rng(3)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype.kind == "f":
            tensor.data[...] = rng.uniform(0.5, 1.5, tensor.shape)


def test_every_layer_is_known():
    known = {*LAYERS, *BLOCKS, "Sequential"}
    assert known | NOT_IN_A_CHAIN == layer_classes() and not known & NOT_IN_A_CHAIN
    assert set(EXAMPLES) == known


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_a_file_gives_the_layer_back(kind, tmp_path):
    for layer, shape in EXAMPLES[kind]():
        model = nn.Sequential(layer)
        numbers(model)
        save(model, tmp_path / "m")
        loaded = load(tmp_path / "m")
        assert isinstance(loaded, nn.Module), layer
        assert repr(loaded) == repr(model) and list(loaded.state_dict()) == list(model.state_dict())
        x = fc.Tensor(np.random.default_rng(0).standard_normal(shape).astype("f4"))
        with fc.no_grad():
            np.testing.assert_array_equal(loaded(x).numpy(), model.eval()(x).numpy())
        assert describe(loaded) == describe(model)
        options = LAYERS[kind].options if kind in LAYERS else ()
        for name in options:  # an option that is not kept would come back as its default
            if name != "bias":
                assert getattr(loaded[0], name) == getattr(layer, name), name


def test_a_layer_with_an_option_left_out_is_refused():
    for kind, layer in LAYERS.items():
        description = describe(EXAMPLES[kind]()[0][0])
        arrays = {name: tensor.numpy() for name, tensor in EXAMPLES[kind]()[0][0].state_dict().items()}
        assert type(build(description, arrays, "f")) is getattr(nn, kind)
        for name in layer.options:
            wrong = copy.deepcopy(description)
            wrong["options"][name] = {}
            with pytest.raises(FileFormatError, match=f"load: f describes .*{kind} with {name}="):
                build(wrong, arrays, "f")
            del wrong["options"][name]
            with pytest.raises(FileFormatError, match=f"{kind} with other options than"):
                build(wrong, arrays, "f")


@pytest.mark.parametrize("kind", sorted(BLOCKS))
def test_blocks_hold_their_own_layers_only(kind, tmp_path):
    layer = EXAMPLES[kind]()[0][0]
    save(layer, tmp_path / "m")
    arrays, metadata = read_arrays(tmp_path / "m")
    record = json.loads(metadata["fastcnn"])
    for change in (
        lambda rows: rows[1:],
        lambda rows: [*rows, ["more", rows[0][1]]],
        lambda rows: [["forward", rows[0][1]], *rows[1:]],
    ):
        wrong = copy.deepcopy(record)
        wrong["model"]["layers"] = change(wrong["model"]["layers"])
        write_arrays(tmp_path / "w", arrays, {"fastcnn": json.dumps(wrong)})
        with pytest.raises(FileFormatError, match=r"load: .*w describes"):
            load(tmp_path / "w")
    layer.extra = nn.ReLU()
    assert describe(layer) is None
