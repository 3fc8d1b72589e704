import hashlib
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluation.features.store import default_store
from evaluation.networks.registry import NETWORKS, build
from evaluation.networks.spec import GIT_BLOB, SHA256, NetworkSpec, PublishedFile
from evaluation.networks.weights import content_hashes, locate_weights, weights_folder
from latte.data.errors import InputError
from latte.data.files import cache_folder
from latte.data.tensor_files import read_any

CONTENT = b"weights " * 40_000
BLOB = (GIT_BLOB, hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest())
PAGE = b"\n<!DOCTYPE html><html><body>Sign in to download</body></html>"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where weights are looked for; nothing of the user's own."""
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture(scope="module")
def server(serve):
    """Address of a server that has `CONTENT`, and pages that are not."""
    answers = {
        "/file.pt": CONTENT,
        "/page": PAGE,
        "/other": b"something else",
        "/empty": b"",
        "/cut": CONTENT[:100_000],
    }
    with serve(answers, cut="/cut") as address:
        yield address


def spec_of(url="http://127.0.0.1:9/file.pt", published=BLOB):
    file = PublishedFile(file_name="file.pt", url=url, hash=published)
    return NetworkSpec(
        name="net",
        title="a network",
        unit="clip",
        outputs={"logits": 4},
        resizes=("squash",),
        min_frames=1,
        weight_files=(file, PublishedFile(file_name="second.pt", url=url, hash=BLOB)),
    )


def write(path, content=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_is_hashed_as_sha256_and_as_git_names_it(tmp_path):
    assert content_hashes(write(tmp_path / "file", b"hello\n")) == {
        SHA256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        GIT_BLOB: "ce013625030ba8dba906f756967f9e9ca394464a",  # git hash-object
    }


def test_a_download_is_verified_and_kept(server, folder):
    located = locate_weights(spec_of(f"{server}/file.pt"))
    assert located.path == folder / "file.pt"
    assert located.path.read_bytes() == CONTENT
    assert located.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (located.published, located.label) == (True, "file.pt")
    # From now on no server is needed, and nothing else was left in the folder.
    assert locate_weights(spec_of()) == located
    assert [path.name for path in folder.iterdir()] == ["file.pt"]


def test_several_processes_may_download_at_once(server, folder):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(locate_weights, [spec_of(f"{server}/file.pt")] * 8))
    assert {located.path for located in found} == {folder / "file.pt"}
    assert [path.name for path in folder.iterdir()] == ["file.pt"]
    assert (folder / "file.pt").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("page", "the answer was a web page, not the file"),
        ("other", "the answer is not the published file.pt (git blob SHA-1"),
        ("empty", "the answer was empty"),
        ("missing", "404"),
        ("cut", "IncompleteRead"),
    ],
)
@pytest.mark.filterwarnings(
    # pooch leaves a connection that breaks off to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_download_that_is_not_the_file_leaves_nothing_behind(server, folder, page, reason):
    with pytest.raises(InputError) as caught:
        locate_weights(spec_of(f"{server}/{page}"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert reason in lines[0]
    assert list(folder.iterdir()) == []


def test_without_a_connection_three_lines_say_what_from_where_and_where_to(folder):
    with pytest.raises(InputError) as caught:
        locate_weights(spec_of())  # nobody listens on port 9
    what, source, target = str(caught.value).splitlines()
    assert what == (
        f"network net needs file.pt ({' '.join(BLOB)}), and fetching it failed: no connection"
    )
    assert source == "download it from http://127.0.0.1:9/file.pt"
    assert target.startswith(f"put it at {folder / 'file.pt'}, ")
    assert "--weights" in target
    assert "--network shapes" in target


def test_a_folder_that_cannot_be_made_is_said_in_the_same_three_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("LATTE_WEIGHTS", str(write(tmp_path / "file") / "below"))
    with pytest.raises(InputError, match="fetching it failed: not a directory\n"):
        locate_weights(spec_of())


def test_any_of_the_published_files_in_the_folder_will_do(folder):
    located = locate_weights_after_writing(folder / "second.pt")
    assert located.label == "second.pt"
    write(folder / "file.pt")
    assert locate_weights(spec_of()).label == "file.pt"


def locate_weights_after_writing(path):
    write(path)
    return locate_weights(spec_of())


def test_a_published_name_with_another_content_is_refused(folder):
    path = write(folder / "file.pt", b"other weights")
    with pytest.raises(InputError, match=r"file\.pt: .*published.*git blob SHA"):
        locate_weights(spec_of())
    assert path.exists()


def test_a_sha256_that_differs_is_refused_too(folder):
    write(folder / "file.pt")
    with pytest.raises(InputError, match=r"SHA-256 .*000000000000…"):
        locate_weights(spec_of(published=(SHA256, "0" * 64)))


def test_a_file_without_a_published_hash_is_taken_and_marked(folder):
    write(folder / "file.pt", b"any")
    located = locate_weights(spec_of(published=None))
    assert not located.published
    assert located.label == f"sha256:{hashlib.sha256(b'any').hexdigest()[:16]}"


def test_the_first_digits_of_a_sha256_will_do(folder):
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    write(folder / "file.pt")
    assert locate_weights(spec_of(published=(SHA256, digits))).published
    other = ("0" if digits[0] != "0" else "1") + digits[1:]
    with pytest.raises(InputError, match=f"SHA-256 {digits}.*{other}…"):
        locate_weights(spec_of(published=(SHA256, other)))


def test_where_no_hash_is_published_the_first_use_is_remembered(folder, caplog):
    path = write(folder / "file.pt", b"any")
    spec, sha256 = spec_of(published=None), hashlib.sha256(b"any").hexdigest()
    locate_weights(spec)
    assert sha256 in caplog.text
    caplog.clear()
    # As `sha256sum -c file.pt.sha256` reads it.
    assert (folder / "file.pt.sha256").read_text() == f"{sha256}  file.pt\n"
    assert locate_weights(spec).sha256 == sha256
    assert not caplog.records
    path.write_bytes(b"other")
    with pytest.raises(InputError, match=r"file\.pt: .*first use.*SHA-256"):
        locate_weights(spec)
    assert locate_weights(spec, path).path == path  # named, any content will do


def test_a_download_is_compared_with_its_first_use(server, folder):
    spec = spec_of(f"{server}/file.pt", published=None)
    path = locate_weights(spec).path
    assert sorted(each.name for each in folder.iterdir()) == ["file.pt", "file.pt.sha256"]
    path.unlink()
    (folder / "file.pt.sha256").write_text("0" * 64 + "  file.pt\n")
    with pytest.raises(InputError, match="failed: the answer is not the file of its first use"):
        locate_weights(spec)
    assert [each.name for each in folder.iterdir()] == ["file.pt.sha256"]


def test_a_folder_that_cannot_be_written_to_remembers_nothing(folder, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    write(folder / "file.pt", b"any")
    monkeypatch.setattr(Path, "write_text", refuse)
    assert locate_weights(spec_of(published=None)).sha256 == hashlib.sha256(b"any").hexdigest()
    assert [each.name for each in folder.iterdir()] == ["file.pt"]


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_file_that_is_named_may_have_any_content_and_says_so(tmp_path, monkeypatch, by_variable):
    mine, theirs = write(tmp_path / "mine.pt", b"mine"), write(tmp_path / "theirs.pt")
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path / "nowhere"))
    for path, published in ((mine, False), (theirs, True)):
        if by_variable:
            monkeypatch.setenv("LATTE_WEIGHTS", str(path))
        located = locate_weights(spec_of(), None if by_variable else path)
        assert (located.path, located.published) == (path, published)
        assert located.label == ("file.pt" if published else f"sha256:{located.sha256[:16]}")


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LATTE_WEIGHTS", "~/kept")
    write(tmp_path / "kept" / "file.pt")
    assert locate_weights(spec_of()).path == tmp_path / "kept" / "file.pt"
    assert locate_weights(spec_of(), Path("~/kept/file.pt")).published


def test_paths_that_are_not_there_or_are_folders_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"gone\.pt: no such file"):
        locate_weights(spec_of(), tmp_path / "gone.pt")
    with pytest.raises(InputError, match=rf"{tmp_path}.*is a folder"):
        locate_weights(spec_of(), tmp_path)
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path / "gone.safetensors"))
    with pytest.raises(InputError, match=r"gone\.safetensors: no such file"):
        locate_weights(spec_of())


def test_networks_that_ship_ignore_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("LATTE_WEIGHTS", str(write(tmp_path / "i3d.pt")))
    file = write(tmp_path / "bundled.safetensors", b"bundled")
    spec = NetworkSpec(
        name="own",
        title="",
        unit="clip",
        outputs={"pooled": 1},
        resizes=("squash",),
        min_frames=1,
        metric_suffix="-own",
        bundled=file,
    )
    located = locate_weights(spec)
    assert (located.path, located.published, located.label) == (file, True, "bundled")
    file.unlink()
    with pytest.raises(InputError, match=r"missing.*install"):
        locate_weights(spec)


def test_by_default_files_are_kept_in_the_users_cache(monkeypatch):
    monkeypatch.delenv("LATTE_WEIGHTS", raising=False)
    monkeypatch.delenv("LATTE_CACHE", raising=False)
    assert cache_folder("weights").name == "weights"
    assert "latte-eval" in cache_folder("weights").parts
    assert weights_folder() == cache_folder("weights")


def test_one_variable_moves_all_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("LATTE_CACHE", str(tmp_path))
    for variable in ("LATTE_WEIGHTS", "LATTE_STORE"):
        monkeypatch.delenv(variable, raising=False)
    assert weights_folder() == tmp_path / "weights"
    assert default_store() == tmp_path / "features"
    monkeypatch.setenv("LATTE_STORE", str(tmp_path / "elsewhere"))
    assert default_store() == tmp_path / "elsewhere"


def test_published_hashes_have_the_length_of_their_kind():
    for spec in NETWORKS.values():
        for file in spec.weight_files:
            if file.hash is not None:
                kind, digits = file.hash
                assert len(bytes.fromhex(digits)) in {GIT_BLOB: (20,), SHA256: (4, 32)}[kind]
            assert file.url.startswith("https://")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_a_download_can_be_read_by_others(server, folder):
    path = locate_weights(spec_of(f"{server}/file.pt")).path
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.fixture
def torchscript(tmp_path, monkeypatch):
    """TorchScript that nobody published; loading it fails the test."""
    path = tmp_path / "theirs.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("theirs/constants.pkl", b"")
    monkeypatch.setattr("torch.jit.load", lambda *_, **__: pytest.fail("its code was run"))
    return path


@pytest.mark.parametrize("by_variable", [False, True])
def test_torchscript_of_unknown_hash_is_not_run_unless_it_is_trusted(
    torchscript, monkeypatch, caplog, by_variable
):
    spec, given = spec_of(), None if by_variable else torchscript
    monkeypatch.setenv("LATTE_WEIGHTS", str(torchscript))
    with pytest.raises(InputError, match=rf"^{torchscript}: .*code.*--trust-weights"):
        locate_weights(spec, given)
    with pytest.raises(InputError, match="--trust-weights"):
        build("i3d", given)
    with caplog.at_level("WARNING"):
        located = locate_weights(spec, given, trust=True)
    (note,) = caplog.messages
    assert f"{torchscript} (TorchScript, SHA-256 {located.sha256})" in note


def test_published_torchscript_and_state_dicts_need_no_trust(torchscript, tmp_path):
    sha256 = hashlib.sha256(torchscript.read_bytes()).hexdigest()
    assert locate_weights(spec_of(published=(SHA256, sha256)), torchscript).published
    (tmp_path / "mine.pt").write_bytes(b"any")
    assert not locate_weights(spec_of(), tmp_path / "mine.pt").published


def test_torch_load_never_opens_torchscript(torchscript):
    with pytest.raises(InputError, match="TorchScript"):
        read_any(torchscript)


@pytest.mark.parametrize("kind", ["pipe", "device", "link to itself"])
def test_what_is_no_regular_file_is_not_opened(tmp_path, kind):
    path = tmp_path / "weights.pt"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    with pytest.raises(InputError, match=rf"^{path}: .*\b{kind.split()[0]}\b"):
        locate_weights(spec_of(), path)
    with pytest.raises(InputError, match=rf"^{path}: "):
        read_any(path)
