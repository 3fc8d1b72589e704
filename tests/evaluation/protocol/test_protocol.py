from dataclasses import fields, replace

import pytest

from evaluation.protocol.deviations import Deviation, differences
from evaluation.protocol.fields import LABELS, Protocol, override, to_toml
from evaluation.protocol.presets import (
    LATTE,
    PRESETS,
    STYLEGAN_V,
    load_protocol,
)
from latte.data.errors import InputError

OTHER_VALUES = {
    "split": "test",
    "real_order": "random",
    "fake_order": "random",
    "real_offset": "first",
    "fake_offset": "random",
    "window": "strides",
    "short_real": "error",
    "mirror": "both",
    "recipe": "latte",
    "filter": "bicubic",
    "storage": "lossless",
    "network": "i3d-videogpt",
    "weights": "other.pt",
    "output": "pooled",
    "resize": "crop",
    "covariance": "n-1",
}
ONE_VALUE = {"precision"}  # a field with one possible value so far


def test_every_field_but_the_labels_moves_the_fingerprint():
    for field in fields(Protocol):
        if field.name in ONE_VALUE:
            continue
        value = getattr(STYLEGAN_V, field.name)
        other = value + 1 if isinstance(value, int) else OTHER_VALUES.get(field.name, "another")
        if isinstance(value, tuple):
            other = ("kvd",)
        changed = replace(STYLEGAN_V, **{field.name: other})
        moved = changed.fingerprint != STYLEGAN_V.fingerprint
        assert moved == (field.name not in LABELS), field.name


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
        ('base = "latte"\nreal_strid = 6\n', "real_strid.*real_stride"),
        ('base = "latte"\nreal_stride = 0\n', r"real_stride .*integer.*\b0$"),
        ('base = "latte"\nreal_stride = "3"\n', "real_stride .*integer.*3"),
        ('base = "latte"\nnum_real = -1\n', "num_real .*integer.*-1$"),
        ('base = "latte"\nreal_clips = 0\n', r"real_clips .*integer.*\b0$"),
        ('base = "latte"\nmetrics = "fvd"\n', "metrics.*array"),
        ('base = "latte"\nmetrics = []\n', "metrics"),
        ('base = "latte"\nmetrics = [1]\n', "metrics.*string.*1"),
        ('base = "latte"\nmetrics = ["fvd", "fvd"]\n', "metrics.*twice"),
        ('base = "latte"\nrecipe = "digan"\n', "lanczos.*digan.*bilinear"),
        ('base = "cd-fvd"\nfilter = "box"\n', "box.*cd-fvd.*bilinear"),
        ('base = "latte"\nfake_order = "clips"\n', "fake_offset.*random"),
        ('base = "latte"\nresize = "fit"\n', "fit.*squash"),
        ('base = "latte"\nrecipe = "crop"\n', "crop.*known"),
        ('base = "late"\n', "late.*latte"),
        ('base = "mine.toml"\n', "mine.toml"),
        ("real_stride = 6\n", r"\bname, description\b"),
        ("real_stride = = 6\n", "TOML.*line 1"),
        ('base = "latte"\nname = ""\n', "name: .*length"),
    ],
)
def test_a_file_that_makes_no_protocol_is_one_sentence(tmp_path, text, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_protocol(str(path))


def test_a_file_with_the_mark_that_notepad_begins_with_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "latte"\nreal_stride = 6\n', encoding="utf-8-sig")
    assert load_protocol(str(path)).real_stride == 6


def test_a_missing_file_and_an_unknown_name_are_told_apart():
    with pytest.raises(InputError, match=r"mine\.toml: .*no such"):
        load_protocol("mine.toml")
    with pytest.raises(InputError, match=r"stylegan_v\b.*did you mean stylegan-v"):
        load_protocol("stylegan_v")
    with pytest.raises(InputError, match="protocol=None"):
        load_protocol(None)


def test_metrics_are_a_list_in_a_file_and_split_at_commas_on_the_command_line(tmp_path):
    assert 'metrics = ["fvd", "is", "fid"]' in to_toml(STYLEGAN_V).splitlines()
    mine = override(STYLEGAN_V, ["metrics = kid, per-class,"])
    assert mine.metrics == ("kid", "per-class")
    assert mine.fingerprint == STYLEGAN_V.fingerprint
    with pytest.raises(InputError, match=r"--set.*metrics"):
        override(STYLEGAN_V, ["metrics="])


def test_selections_and_preparation_carry_their_fields():
    protocol = replace(
        STYLEGAN_V,
        num_real=0,
        num_fake=9,
        real_clips=3,
        fake_clips=4,
        window="strides",
        mirror="real",
        fake_offset="every",
        filter="box",
        storage="mp4",
    )
    real, fake = protocol.selection("real"), protocol.selection("fake")
    assert (real.num_videos, real.clips_per_video, real.mirror) == (0, 3, True)
    assert (fake.num_videos, fake.clips_per_video, fake.mirror) == (9, 4, False)
    assert (real.window, fake.window) == ("strides", "strides")
    assert (real.offset, fake.offset) == ("random", "every")
    assert (real.short_videos, fake.short_videos) == ("discard", "error")
    assert replace(protocol, mirror="both").selection("fake").mirror
    made = protocol.preparation()
    assert (made.recipe, made.size, made.storage, made.filter) == ("stylegan-v", 256, "mp4", "box")


def test_one_field_can_be_set_by_hand():
    assert override(LATTE, ["real_offset=first", "seed=7"]) == replace(
        LATTE, real_offset="first", seed=7
    )


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("real_ofset=first", "real_offset"),
        ("real_offset", "FIELD=VALUE"),
        ("seed=x", "--set: seed .*integer.*x"),
        ("real_offset=middle", "real_offset.*random"),
    ],
)
def test_a_wrong_assignment_is_one_sentence(assignment, complaint):
    with pytest.raises(InputError, match=complaint):
        override(LATTE, [assignment])


def test_differences_name_field_and_both_values():
    found = differences(STYLEGAN_V.affecting_fields(), LATTE.affecting_fields())
    assert Deviation(field="real_stride", value=1, wanted=3) in found
    assert Deviation(field="recipe", value="stylegan-v", wanted="latte") in found
    assert len(found) == 4
    assert differences(LATTE.affecting_fields(), LATTE.affecting_fields()) == []


def test_any_number_is_every_one_there_is_but_every_one_is_not_any_number():
    every = replace(STYLEGAN_V, num_real=0).affecting_fields()
    some = replace(STYLEGAN_V, num_real=704).affecting_fields()
    assert differences(some, every) == []
    assert differences(every, some) == [Deviation(field="num_real", value=0, wanted=704)]
    (lacking,) = differences({}, {"num_real": 0})
    assert str(lacking) == "num_real not stated instead of 0"
