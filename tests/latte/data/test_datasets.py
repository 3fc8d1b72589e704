import json
from dataclasses import asdict

import pytest

from latte.data.datasets import (
    DATASETS,
    class_labels,
    class_names,
    dataset,
    dataset_status,
    open_dataset,
)
from latte.data.errors import InputError


def put(root, *names):
    """Names alone decide what a set is: nothing is opened."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(name, root, split=None):
    return [video.name for video in open_dataset(name, data_root=root, split=split).videos]


def ucf(class_name, group, clip=1):
    return f"{class_name}/v_{class_name}_g{group:02d}_c{clip:02d}"


UCF_FILES = [ucf(name, group) for name in ("Archery", "BabyCrawling") for group in (1, 8, 15)]
UCF_NAMES = [name.partition("/")[2] for name in UCF_FILES]


def put_ucf(root, folder):
    put(root, *(f"{folder}{name}.avi" for name in UCF_FILES))


def put_ucf_lists(root):
    root.mkdir(parents=True, exist_ok=True)
    for number, group in ((1, 1), (2, 8), (3, 15)):
        test = [name for name in UCF_FILES if f"_g{group:02d}_" in name]
        train = [name for name in UCF_FILES if name not in test]
        (root / f"testlist{number:02d}.txt").write_text("".join(f"{n}.avi\n" for n in test))
        (root / f"trainlist{number:02d}.txt").write_text("".join(f"{n}.avi 1\n" for n in train))


@pytest.mark.parametrize(
    ("folder", "lists"),
    [
        ("ucf101/UCF-101/", "ucf101/ucfTrainTestlist"),
        ("UCF-101/", "ucfTrainTestlist"),
        ("UCF101/videos/", "UCF101/UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist"),
        ("ucf101/", "ucf101/ucfTrainTestlist"),
    ],
)
def test_ucf101_is_parted_by_its_own_lists(tmp_path, folder, lists):
    put_ucf(tmp_path, folder)
    put_ucf_lists(tmp_path / lists)
    assert names("ucf101", tmp_path) == UCF_NAMES
    assert names("ucf101", tmp_path, "train+test") == UCF_NAMES
    for number, group in (("", 1), ("2", 8), ("3", 15)):
        test = names("ucf101", tmp_path, f"test{number}")
        assert test == [name for name in UCF_NAMES if f"_g{group:02d}_" in name]
        train = names("ucf101", tmp_path, f"train{number}")
        assert sorted(test + train) == UCF_NAMES


def test_ucf101_flattened_is_parted_by_its_lists(tmp_path):
    put(tmp_path, *(f"ucf101/{name.partition('/')[2]}/000000.jpg" for name in UCF_FILES))
    put_ucf_lists(tmp_path / "ucf101/ucfTrainTestlist")
    assert len(names("ucf101", tmp_path)) == 6
    assert names("ucf101", tmp_path, "test") == ["v_Archery_g01_c01", "v_BabyCrawling_g01_c01"]


@pytest.mark.parametrize(
    "place",
    [
        "ucf101/UCF-101/{class_name}/{name}.avi",
        "ucf101/{name}.avi",
        "ucf101/{name}/000000.jpg",
        "ucf101/{class_name}/{name}/000000.jpg",
        "ucf101/{split}/{class_name}/{name}.avi",
        "ucf101/{split}/{name}/000000.jpg",
    ],
)
def test_ucf101_has_the_same_names_and_labels_in_every_layout(tmp_path, place):
    for file in UCF_FILES:
        class_name, _, name = file.partition("/")
        split = "test" if "_g01_" in name else "train"
        put(tmp_path, place.format(class_name=class_name, name=name, split=split))
    videos = open_dataset("ucf101", data_root=tmp_path)
    assert [video.name for video in videos.videos] == UCF_NAMES
    assert class_labels(videos) == {name: int("_Baby" in name) for name in UCF_NAMES}


def test_ucf101_keeps_folders_in_names_that_would_be_the_same(tmp_path):
    put(tmp_path, *(f"ucf101/{name}.avi" for name in ("a/v_A_g01_c01", "b/v_A_g01_c01")))
    put(tmp_path, "ucf101/a/v_A_g01_c02.avi", "ucf101/a/other.avi")
    assert names("ucf101", tmp_path) == [
        "a/other",
        "a/v_A_g01_c01",
        "b/v_A_g01_c01",
        "v_A_g01_c02",
    ]


def test_ucf101_lists_and_files_may_disagree_on_capitals(tmp_path):
    put(tmp_path, "ucf101/UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi")
    lists = tmp_path / "ucf101/ucfTrainTestlist"
    lists.mkdir()
    (lists / "testlist01.txt").write_text("HandstandPushups/v_HandstandPushups_g01_c01.avi\n")
    assert names("ucf101", tmp_path, "test") == ["v_HandStandPushups_g01_c01"]


def test_ucf101_without_lists_says_what_is_missing(tmp_path):
    put_ucf(tmp_path, "ucf101/UCF-101/")
    with pytest.raises(InputError, match=r"testlist02\.txt.*--set split=train\+test"):
        open_dataset("ucf101", data_root=tmp_path, split="test2")


def test_ucf101_with_other_names_than_on_its_lists_is_refused(tmp_path):
    put(tmp_path, "ucf101/a.avi")
    put_ucf_lists(tmp_path / "ucf101/ucfTrainTestlist")
    with pytest.raises(InputError, match=r"\b1 videos.*UCF101.*\btest\b"):
        open_dataset("ucf101", data_root=tmp_path, split="test")


def test_split_folders_are_joined_in_the_order_of_the_names(tmp_path):
    put(tmp_path, "ucf101/train/Archery/a.avi", "ucf101/train/Archery/c.avi")
    put(tmp_path, "ucf101/test/Archery/b.avi")
    assert names("ucf101", tmp_path) == ["Archery/a", "Archery/b", "Archery/c"]
    assert names("ucf101", tmp_path, "train") == ["Archery/a", "Archery/c"]


def test_videos_of_one_name_in_two_splits_are_told_apart(tmp_path):
    put(tmp_path, "ucf101/train/Archery/a.avi", "ucf101/test/Archery/a.avi")
    assert names("ucf101", tmp_path) == ["test/Archery/a", "train/Archery/a"]


LAYOUTS = [
    ("faceforensics", "faceforensics/train/videos/a.mp4", "faceforensics/train/images/a.jpg"),
    ("faceforensics", "preprocess_ffs/train/videos/a.mp4", "preprocess_ffs/test/videos/b.mp4"),
    ("faceforensics", "ffs/preprocess_ffs/train/videos/a.mp4", "ffs/README.md"),
    ("faceforensics", "FaceForensics/train/a/000000.jpg", "FaceForensics/test/b/000000.jpg"),
    ("faceforensics", "faceforensics/a/000000.jpg", "faceforensics/list.txt"),
    ("skytimelapse", "sky/sky_train/a/a_1/0.jpg", "sky/sky_test/b/b_1/0.jpg"),
    ("skytimelapse", "sky_timelapse/train/a/0.jpg", "sky_timelapse/val/b/0.jpg"),
    ("skytimelapse", "skytimelapse/sky_timelapse/sky_train/a/a_1/0.jpg", "skytimelapse/x.zip"),
    ("taichi-hd", "taichi-256/frames/train/a/0.png", "taichi-256/frames/test/b/0.png"),
    ("taichi-hd", "taichi/train/a.mp4", "taichi/test/b.mp4"),
    ("taichi-hd", "taichi-hd/taichi-256/frames/train/a/0.jpg", "taichi-hd/x.txt"),
]


@pytest.mark.parametrize(("name", "video", "other"), LAYOUTS)
def test_the_train_split_is_found_in_each_layout(tmp_path, name, video, other):
    put(tmp_path, video, other)
    found = names(name, tmp_path)
    assert len(found) == 1
    assert found[0] in ("a", "a/a_1")
    assert found == names(name, tmp_path, "train")


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("skytimelapse", "sky/val/b/0.jpg"),
        ("skytimelapse", "sky/sky_test/b/b_1/0.jpg"),
        ("faceforensics", "ffs/test/videos/b.mp4"),
        ("taichi-hd", "taichi/frames/test/b/0.png"),
    ],
)
def test_the_test_split_is_found_and_is_not_taken_for_the_train_split(tmp_path, name, video):
    put(tmp_path, video)
    assert names(name, tmp_path, "test")[0] in ("b", "b/b_1")
    with pytest.raises(InputError, match=r"no split .?train\b"):
        open_dataset(name, data_root=tmp_path)


def test_a_folder_without_splits_is_no_test_split(tmp_path):
    put(tmp_path, "sky/a/0.jpg")
    assert names("skytimelapse", tmp_path) == ["a"]
    with pytest.raises(InputError, match=r"no split .?test\b"):
        open_dataset("skytimelapse", data_root=tmp_path, split="test")


def test_the_data_root_may_be_the_data_set_itself(tmp_path):
    put_ucf(tmp_path, "UCF-101/")
    assert names("ucf101", tmp_path / "UCF-101") == UCF_NAMES


def test_a_data_set_that_is_not_there_says_where_it_was_looked_for_and_how_to_get_it(tmp_path):
    with pytest.raises(InputError) as caught:
        open_dataset("ucf101", data_root=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "ucf101") in message
    assert "crcv.ucf.edu" in message


def test_a_set_is_called_by_data_set_and_split(tmp_path):
    put(tmp_path, "sky/sky_train/a/a_1/0.jpg")
    assert open_dataset("skytimelapse", data_root=tmp_path).name == "skytimelapse train"


@pytest.mark.parametrize(("asked", "nearest"), [("ucf", "ucf101"), ("taichi", "taichi-hd")])
def test_an_unknown_data_set_is_refused_with_the_nearest_name(asked, nearest):
    with pytest.raises(InputError, match=rf"\b{asked}\b.*did you mean {nearest}\b"):
        dataset(asked)


@pytest.mark.parametrize("split", ["val", "train+train", "train4", "train+"])
def test_an_unknown_split_is_refused(tmp_path, split):
    put_ucf(tmp_path, "ucf101/")
    with pytest.raises(InputError, match=r"ucf101: .*\bsplit\b.*train, test, train2"):
        open_dataset("ucf101", data_root=tmp_path, split=split)


def test_labels_are_the_places_of_the_sorted_classes(tmp_path):
    put_ucf(tmp_path, "ucf101/UCF-101/")
    videos = open_dataset("ucf101", data_root=tmp_path)
    assert class_names(videos) == ("Archery", "BabyCrawling")
    assert class_labels(videos) == {name: int("_Baby" in name) for name in UCF_NAMES}


def test_labels_of_flattened_files_come_from_their_names(tmp_path):
    put(tmp_path, *(f"ucf101/{name.partition('/')[2]}.avi" for name in UCF_FILES))
    assert set(class_labels(open_dataset("ucf101", data_root=tmp_path)).values()) == {0, 1}


def test_videos_without_classes_have_no_labels(tmp_path):
    put(tmp_path, "sky/train/a/0.jpg", "sky/test/b/0.jpg")
    assert class_labels(open_dataset("skytimelapse", data_root=tmp_path)) == {}
    assert class_labels(open_dataset("skytimelapse", data_root=tmp_path, split="train+test")) == {}


def test_shapes_are_always_there(tmp_path):
    videos = open_dataset("shapes", data_root=tmp_path, split="test")
    assert len(videos.videos) == DATASETS["shapes"].splits["test"]


def test_the_registry_agrees_with_the_embedded_data_set():
    from latte.data import shapes

    known = DATASETS["shapes"]
    assert dict(known.splits) == shapes.NUM_VIDEOS
    assert known.num_classes == shapes.NUM_CLASSES
    assert known.fps == shapes.FPS


def test_the_status_shows_what_is_found_and_what_is_not(tmp_path):
    put_ucf(tmp_path, "ucf101/UCF-101/")
    put(tmp_path, "sky/sky_train/a/a_1/0.jpg", "ffs/readme.txt")
    statuses = {status.name: status for status in dataset_status(tmp_path)}
    assert list(statuses) == list(DATASETS)
    assert statuses["ucf101"].counts == {"train+test": 6}
    assert statuses["ucf101"].expected["train+test"] == 13320
    assert statuses["skytimelapse"].found == str(tmp_path / "sky")
    assert statuses["skytimelapse"].counts == {"train": 1}
    assert statuses["taichi-hd"].found is None
    assert str(tmp_path / "taichi-256") in statuses["taichi-hd"].looked
    assert "AliaksandrSiarohin" in statuses["taichi-hd"].how_to_get
    assert "no videos in it" in statuses["faceforensics"].problem
    assert statuses["shapes"].counts["train"] == 10_000
    json.dumps([asdict(status) for status in statuses.values()])


def test_fvd_is_measured_on_train_and_test_of_ucf101_and_on_train_of_the_others():
    assert {name: each.fvd_split for name, each in DATASETS.items()} == {
        "ucf101": "train+test",
        "faceforensics": "train",
        "skytimelapse": "train",
        "taichi-hd": "train",
        "shapes": "train",
    }


@pytest.mark.parametrize("known", DATASETS.values(), ids=list(DATASETS))
def test_every_row_of_the_registry_is_whole(known):
    assert known.layouts
    assert known.how_to_get
    parts = known.fvd_split.split("+")
    assert all(part in known.splits for part in parts)
    counts = [known.splits[part] for part in parts]
    if len(parts) > 1:
        assert known.splits[known.fvd_split] == sum(counts)
