"""Eggs come from the store, or from setuptools; one that is not what the recipe names never reaches an image."""

import hashlib
import os
from dataclasses import replace

import pytest

from runtime_agent import eggs, settings
from runtime_agent.recipes import Egg, ImageError

CONTENT = b"an egg"
EGG = Egg("demo", "1.0", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Settings of an installation whose tools' Python "fetches" the file that the test lays beside it."""
    chosen = replace(settings.load(dict(os.environ)), state_dir=tmp_path)
    python = tmp_path / "tools/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncp {tmp_path}/served "$PWD/demo-1.0.egg"\n')
    python.chmod(0o755)
    monkeypatch.setattr(eggs.debian, "cache", lambda _: tmp_path)
    (tmp_path / "served").write_bytes(CONTENT)
    (tmp_path / "out").mkdir()
    return chosen


def test_it_is_fetched_once(place, tmp_path):
    assert eggs.fetch(place, EGG, tmp_path / "out", print).read_bytes() == CONTENT
    (tmp_path / "served").unlink()
    assert eggs.fetch(place, EGG, tmp_path / "out", print).read_bytes() == CONTENT


def test_another_file_is_refused_and_not_kept(place, tmp_path):
    (tmp_path / "served").write_bytes(b"something else")
    with pytest.raises(ImageError, match=r"demo==1.0 has not the sum"):
        eggs.fetch(place, EGG, tmp_path / "out", print)
    assert list((tmp_path / "eggs").iterdir()) == []


def test_a_damaged_one_is_fetched_again(place, tmp_path):
    eggs.fetch(place, EGG, tmp_path / "out", print)
    (tmp_path / "eggs/demo-1.0.egg").write_bytes(b"damaged")
    assert eggs.fetch(place, EGG, tmp_path / "out", print).read_bytes() == CONTENT


def test_missing_tools_are_named(place, tmp_path):
    place.state_dir.joinpath("tools/bin/python").unlink()
    with pytest.raises(ImageError, match="tools/bin/python is missing: ./lab up"):
        eggs.fetch(place, EGG, tmp_path / "out", print)
