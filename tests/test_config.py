"""tests.test_config: the description of an installation."""

import pytest

import fastcnn as fc
from fastcnn import config
from fastcnn.errors import ArgumentError


def test_the_dict_names_versions_isa_and_threads_with_reasons():
    found = fc.show_config(mode="dict")
    assert found["isa"] in found["isa_available"] and found["isa_reason"]
    assert found["threads"] == fc.get_num_threads() and found["threads_reason"]
    assert found["fastcnn"] == fc.__version__


def test_print_shows_every_entry_and_names_a_clash_of_runtimes(monkeypatch, capsys):
    monkeypatch.setattr(config, "_openmp_runtimes", lambda: ["/a/libgomp.so.1", "/b/libiomp5.so"])
    assert fc.show_config() is None
    text = capsys.readouterr().out
    assert all(f"{name}:" in text for name in config.config())
    assert "more than one OpenMP runtime" in text


def test_another_mode_is_an_error():
    with pytest.raises(ArgumentError, match="show_config: mode must be 'print' or 'dict', got 'x'"):
        fc.show_config(mode="x")
