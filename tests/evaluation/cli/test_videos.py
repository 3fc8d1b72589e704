"""What the commands about videos print."""

import shutil
from pathlib import Path

from evaluation.cli.videos import datasets, prepare

CLIPS = Path(__file__).parents[2] / "data"


def test_data_sets_are_shown_with_their_places_and_how_to_get_others(tmp_path, capsys):
    folder = tmp_path / "ucf101" / "UCF-101" / "Archery"
    folder.mkdir(parents=True)
    (folder / "v_Archery_g01_c01.avi").touch()
    (tmp_path / "ffs").mkdir()
    datasets(data_root=tmp_path)
    printed = capsys.readouterr().out
    ucf, ffs, _, taichi, _ = printed.split("\n\n")
    assert f"  found   {tmp_path / 'ucf101'}\n" in ucf
    assert "  train+test             1 videos (published: 13320)" in ucf
    assert "get it" not in ucf
    assert f"  problem {tmp_path / 'ffs'}" in ffs
    assert "  layout  " in ffs
    assert f"  not found, looked for {tmp_path}" in taichi
    assert "AliaksandrSiarohin" in taichi


def test_a_preparation_says_what_was_there_and_what_is_broken(tmp_path, capsys):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    shutil.copy(CLIPS / "short.webm", source)
    options = {"recipe": "latte", "size": 16, "workers": 0, "skip_broken": True, "quiet": True}
    prepare(source, target, **options)
    assert capsys.readouterr().out == f"{target}: 1 videos prepared\n"
    (source / "broken.mp4").write_text("no video")
    prepare(source, target, **options)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{target}: 0 videos prepared, 1 already there, 1 broken ones skipped:"
    assert second.startswith(f"  {source / 'broken.mp4'}")
