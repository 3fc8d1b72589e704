from dataclasses import fields, replace

import pytest

from evaluation.presets import (
    LATTE,
    PRESETS,
    STYLEGAN_V,
    for_dataset,
    load_protocol,
    published_protocol,
)
from evaluation.protocol import LABELS, Protocol, differences, override, to_toml
from latte.data.errors import InputError

OTHER_VALUES = {
    "split": "test",
    "real_order": "random",
    "fake_order": "random",
    "real_offset": "first",
    "fake_offset": "random",
    "short_real": "error",
    "recipe": "latte",
    "storage": "lossless",
    "network": "i3d-videogpt",
    "weights": "other.pt",
    "output": "pooled",
    "covariance": "n-1",
}
ONE_VALUE = {"precision"}  # a field with one possible value so far


def test_every_field_but_the_labels_moves_the_fingerprint():
    for field in fields(Protocol):
        if field.name in ONE_VALUE:
            continue
        value = getattr(STYLEGAN_V, field.name)
        other = value + 1 if isinstance(value, int) else OTHER_VALUES.get(field.name, "another")
        changed = replace(STYLEGAN_V, **{field.name: other})
        moved = changed.fingerprint != STYLEGAN_V.fingerprint
        assert moved == (field.name not in LABELS), field.name


def test_presets_have_fingerprints_of_their_own_that_never_move():
    assert {name: preset.fingerprint for name, preset in PRESETS.items()} == {
        "stylegan-v": "66508fd72d8c24cf",
        "latte": "2cf8838b90596d33",
        "shapes": "904cec722d31231e",
    }


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_written_as_toml_is_read_back_the_same(preset, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(preset), encoding="utf-8")
    assert load_protocol(str(path)) == preset


def test_a_protocol_is_shown_with_the_meaning_of_every_field():
    lines = to_toml(LATTE).splitlines()
    for field in fields(Protocol):
        (place,) = [i for i, line in enumerate(lines) if line.startswith(f"{field.name} = ")]
        assert lines[place - 1].startswith("# ")


def test_a_file_may_start_from_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "latte"\nname = "mine"\nreal_stride = 6\n')
    assert load_protocol(str(path)) == replace(LATTE, name="mine", real_stride=6)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('base = "latte"\nreal_strid = 6\n', "no field 'real_strid'.*real_stride"),
        ('base = "latte"\nreal_stride = 0\n', "real_stride = 0: it has to be at least 1"),
        ('base = "latte"\nreal_stride = "3"\n', "it is a whole number"),
        ('base = "latte"\nrecipe = "crop"\n', "it is one of none, stylegan-v, latte"),
        ('base = "late"\n', "base 'late' is no preset.*latte"),
        ('base = "mine.toml"\n', "base 'mine.toml' is no preset"),
        ("real_stride = 6\n", "lacks name, description"),
        ("real_stride = = 6\n", "not a TOML protocol file"),
    ],
)
def test_a_file_that_makes_no_protocol_is_one_sentence(tmp_path, text, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_protocol(str(path))


def test_a_missing_file_and_an_unknown_name_are_told_apart():
    with pytest.raises(InputError, match="no such protocol file"):
        load_protocol("mine.toml")
    with pytest.raises(InputError, match="did you mean stylegan-v"):
        load_protocol("stylegan_v")


def test_one_field_can_be_set_by_hand():
    assert override(LATTE, ["real_offset=first", "seed=7"]) == replace(
        LATTE, real_offset="first", seed=7
    )


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("real_ofset=first", "real_offset"),
        ("real_offset", "FIELD=VALUE"),
        ("seed=x", "whole number"),
        ("real_offset=middle", "one of first, random"),
    ],
)
def test_a_wrong_assignment_is_one_sentence(assignment, complaint):
    with pytest.raises(InputError, match=complaint):
        override(LATTE, [assignment])


def test_differences_name_field_and_both_values():
    found = differences(STYLEGAN_V.moving_fields(), LATTE.moving_fields())
    assert "real_stride 1 instead of 3" in found
    assert "recipe stylegan-v instead of latte" in found
    assert len(found) == 4
    assert differences(LATTE.moving_fields(), LATTE.moving_fields()) == []


def test_published_figures_take_what_their_data_set_has():
    assert published_protocol("faceforensics").num_real == 704
    assert published_protocol("ucf101").num_real == 2048
    assert published_protocol("taichi-hd").real_stride == 6
    assert published_protocol("ucf101").real_stride == 3
    assert published_protocol("taichi-hd", STYLEGAN_V).real_stride == 1


def test_a_preset_follows_its_source_on_each_data_set_and_a_changed_one_stays_as_it_is():
    assert for_dataset(LATTE, "taichi-hd").real_stride == 6
    assert for_dataset(LATTE, "faceforensics") == LATTE  # no cap on a larger copy
    mine = replace(LATTE, name="mine")
    assert for_dataset(mine, "taichi-hd") == mine
