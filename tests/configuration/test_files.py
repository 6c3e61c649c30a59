"""Configuration files: how YAML is read, and how a file is found and shown."""

import pytest

from cohort.configuration import files


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("-1e4", -1e4), ("1E5", 1e5), (".5e-3", 5e-4), ("1.e3", 1000.0), ("1_0e2", 1000.0),
        ("0.5", 0.5), ("3", 3), ("1e", "1e"), ("e5", "e5"), ("3m", "3m"), ("1e5m", "1e5m"), ("'1e-4'", "1e-4"),
        ("True", True), ("false", False),
    ],
)  # fmt: skip
def test_numbers_in_yaml_are_numbers(tmp_path, text, value):
    (tmp_path / "a.yaml").write_text(f"key: {text}\n")
    read = files.read(tmp_path / "a.yaml")["key"]
    assert read == value
    assert type(read) is type(value)


def test_yaml_may_be_empty_and_may_merge(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# nothing\n")
    assert files.read(path) == {}
    path.write_text("base: &base {x: 1, y: 2}\nmore: {<<: *base, y: 3}\n")
    assert files.read(path)["more"] == {"x": 1, "y": 3}


def test_the_key_on_is_a_word_and_the_value_on_is_not(tmp_path):
    (tmp_path / "a.yaml").write_text("on: {sc2_sim: {double_q: on}}\n")
    assert files.read(tmp_path / "a.yaml") == {"on": {"sc2_sim": {"double_q": True}}}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("mine.yaml", True), ("a/mine", True), ("./mine", True), ("mine", False), ("mine.txt", False)],
)
def test_what_ends_as_yaml_or_has_a_folder_is_a_path(name, meant):
    assert files.is_path(name) is meant


def test_our_files_are_shown_from_the_root_and_others_as_they_were_given(tmp_path):
    assert files.shown(files.DEFAULT_FILE).endswith("config/default.yaml")
    assert not files.shown(files.DEFAULT_FILE).startswith("/")
    assert files.shown(tmp_path / "mine.yaml") == str(tmp_path / "mine.yaml")


def test_families_are_no_algorithms_and_share_no_name_with_one():
    """`extends: <name>` looks among both."""
    families = {path.stem for path in files.FAMILIES.glob("*.yaml")}
    assert families
    assert not families & set(files.names("--config"))
