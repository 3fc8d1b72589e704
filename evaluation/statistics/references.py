"""Reference statistics that clean-fid publishes, by name; a file is fetched when it is asked for.

They are mean and covariance of Inception features of data sets of images, one file for each way of
resizing. clean-fid's own `get_reference_statistics` writes into the installed package and compares
nothing; the address of a file is the same.
"""

from pathlib import Path

from evaluation.networks.spec import PublishedFile
from evaluation.networks.weights import DownloadError, obtain
from latte.data.errors import InputError, nearest
from latte.data.files import cache_folder

BASE_URL = "https://www.cs.cmu.edu/~clean-fid/stats"
NETWORK = "inception"
RESIZES = ("clean", "legacy-tensorflow", "legacy-pytorch")
ONLY_CLEAN = ("lsun_church_trainfull_256", "lsun_horse_trainfull_256")
# data set, split and resolution, as in clean-fid's table of precomputed statistics
REFERENCES = (
    *("cifar10_train_32", "cifar10_test_32"),
    *("ffhq_trainval_256", "ffhq_trainval_1024", "ffhq_trainval70k_256", "ffhq_trainval70k_1024"),
    *("lsun_church_train_256", "lsun_church_trainfull_256"),
    *("lsun_horse_train_256", "lsun_horse_trainfull_256"),
    *("lsun_cat_train_256", "lsun_cat_trainfull_256"),
    *("afhq_cat_train_512", "afhq_dog_train_512", "afhq_wild_train_512"),
    *("brecahad_train_512", "metfaces_train_1024", "horse2zebra_test_256", "cat2dog_test_256"),
)


def reference_statistics(name: str, *, network: str, resize: str) -> Path:
    """The file of mean and covariance that clean-fid publishes for a data set.

    It is kept in the user's cache, and compared with its first use from then on: no hash is
    published.

    Args:
        name: data set, split and resolution, such as "cifar10_train_32".
        network, resize: of the features that it is compared with; the statistics are Inception's.

    Raises:
        InputError: no such reference, another network or resizing, or a failed download.
    """
    if name not in REFERENCES:
        raise InputError(f"unknown reference statistics {name!r}: {nearest(name, REFERENCES)}")
    if network != NETWORK or resize not in RESIZES:
        raise InputError(
            f"reference statistics {name} are of the network {NETWORK} with resize "
            f"{' or '.join(RESIZES)}, not of {network} with {resize}: choose another network or "
            "protocol (--network, --protocol)"
        )
    if name in ONLY_CLEAN and resize != "clean":
        raise InputError(
            f"reference statistics {name} are published for resize clean alone, not {resize}: set "
            "resize=clean (--set)"
        )
    dataset, split, resolution = name.rsplit("_", 2)
    file_name = f"{dataset}_{resize.replace('-', '_')}_{split}_{resolution}.npz"
    file = PublishedFile(file_name=file_name, url=f"{BASE_URL}/{file_name}")
    folder = cache_folder("statistics")
    path = folder / file_name
    try:
        obtain(file, folder, "--real")
    except DownloadError as error:
        raise InputError(
            f"reference statistics {name} cannot be fetched from {file.url} ({error}): download "
            f"the file elsewhere and put it at {path}"
        ) from None
    return path
