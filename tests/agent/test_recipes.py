"""Reading image recipes: what is wrong in one is named with file and line, and a version follows from all of it."""

import pytest

from runtime_agent import recipes
from runtime_agent.recipes import Deb, Egg, ImageError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """``write("name", packages="...", **{"setup.sh": "..."})`` makes a recipe."""
    monkeypatch.setattr(recipes, "RECIPES", tmp_path)

    def make(name, **files):
        (tmp_path / name).mkdir(exist_ok=True)
        for file, text in {"packages": "mount\n", **files}.items():
            (tmp_path / name / file).write_text(text)
    return make


def test_a_chain_begins_with_what_lies_lowest(write):
    write("base")
    write("engines", **{"from": "base\n"})
    write("cri", **{"from": "engines\n"})
    assert [recipe.name for recipe in recipes.chain("cri")] == ["base", "engines", "cri"]


def test_a_circle_is_named(write):
    write("one", **{"from": "two\n"})
    write("two", **{"from": "one\n"})
    with pytest.raises(ImageError, match="stands on itself"):
        recipes.version("one")


def test_a_layer_changes_with_what_lies_below_it(write):
    write("base")
    write("top", **{"from": "base\n"})
    before = recipes.version("base"), recipes.version("top")
    write("base", packages="mount\nless\n")
    assert recipes.version("base") != before[0]
    assert recipes.version("top") != before[1]
    write("base")
    assert (recipes.version("base"), recipes.version("top")) == before


def test_a_script_is_part_of_the_version(write):
    write("base", **{"setup.sh": "true\n"})
    before = recipes.version("base")
    write("base", **{"setup.sh": "false\n"})
    assert recipes.version("base") != before


@pytest.mark.parametrize("line", ["-o APT::x=y", "two words", "../up", "UPPER"])
def test_what_is_no_package_is_named_with_its_line(write, line):
    write("base", packages=f"mount\n{line}\n")
    with pytest.raises(ImageError, match=r"base/packages:2: "):
        recipes.read("base")


def test_debs_are_read_in_their_three_forms(write):
    write("base", debs="# kernels\nlinux-image-* of linux-image-cloud-amd64\npython2.7 bullseye\nappc-spec # rkt\n")
    assert recipes.read("base").debs == (
        Deb("linux-image-cloud-amd64", pattern="linux-image-*"), Deb("python2.7", "bullseye"), Deb("appc-spec"))


def test_what_is_no_deb_is_named_with_its_line(write):
    write("base", debs="one two three four\n")
    with pytest.raises(ImageError, match=r"debs:1: "):
        recipes.read("base")


def test_an_egg_has_a_version_and_a_sum(write):
    write("base", eggs=f"mesos.scheduler==1.11.0 {'ab' * 32}  # the library\n")
    assert recipes.read("base").eggs == (Egg("mesos.scheduler", "1.11.0", "ab" * 32),)


@pytest.mark.parametrize("line", ["mesos.scheduler", "mesos.scheduler==1.11.0", "mesos.scheduler>=1 " + "ab" * 32, "../up==1 " + "ab" * 32])
def test_what_is_no_egg_is_named_with_its_line(write, line):
    write("base", eggs=f"\n{line}\n")
    with pytest.raises(ImageError, match=r"eggs:2: "):
        recipes.read("base")


@pytest.mark.parametrize(("found", "fits"), [([], False), (["linux-image-6"], True), (["linux-image-6", "linux-image-7"], False)])
def test_a_pattern_must_fit_one_dependency(found, fits):
    deb = Deb("linux-image-cloud-amd64", pattern="linux-image-*")
    if fits:
        assert deb.pick(lambda: [*found, "kmod"]) == "linux-image-6"
    else:
        with pytest.raises(ImageError, match="one is wanted"):
            deb.pick(lambda: [*found, "kmod"])


@pytest.mark.parametrize("name", ["nope", "../base", ".hidden"])
def test_no_recipe_is_no_path(write, name):
    write("base")
    with pytest.raises(ImageError, match="no recipe"):
        recipes.read(name)


def test_the_recipes_of_this_project_can_be_read():
    for name in recipes.names():
        assert recipes.chain(name)[0].name == "base"
