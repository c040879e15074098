import errno
import os
import stat
from multiprocessing import get_context

import pytest

from generalization.errors import InputError
from generalization.files import written_whole


def write(path, text):
    with written_whole(path) as beside:
        beside.write_text(text)


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_with_its_folders(tmp_path):
    write(tmp_path / "new/folder/table.csv", "1")
    assert (tmp_path / "new/folder/table.csv").read_text() == "1"
    assert names(tmp_path / "new/folder") == ["table.csv"]


def test_an_error_leaves_what_was_there(tmp_path):
    write(tmp_path / "table.csv", "before")
    with pytest.raises(KeyError), written_whole(tmp_path / "table.csv") as beside:
        beside.write_text("half")
        raise KeyError
    assert (tmp_path / "table.csv").read_text() == "before"
    assert names(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_umask_determines_who_may_read_a_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "networks.safetensors", "")
    finally:
        os.umask(before)
    mode = stat.S_IMODE((tmp_path / "networks.safetensors").stat().st_mode)
    assert mode == 0o666 & ~umask


def rewrite(path, text, times):
    for _ in range(times):
        write(path, text)


def test_two_writers_do_not_take_each_others_file(tmp_path):
    path = tmp_path / "table.csv"
    texts = {letter * 200_000 for letter in "ab"}
    context = get_context("spawn")
    writers = [context.Process(target=rewrite, args=(path, text, 60)) for text in texts]
    write(path, min(texts))
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in texts
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert names(tmp_path) == ["table.csv"]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError("write failed: No space left on x")]
)
def test_a_full_disk_is_reported_with_the_file_and_the_cure(tmp_path, error):
    path = tmp_path / "table.csv"
    with pytest.raises(InputError) as caught, written_whole(path):
        raise error
    assert str(caught.value) == (
        f"{path} must have room on its disk, which is full ({error}); nothing was written under "
        "its name, and the same command writes it when there is room."
    )
    assert not names(tmp_path)


def test_another_error_of_the_disk_is_its_own(tmp_path):
    with pytest.raises(OSError, match="Input/output"), written_whole(tmp_path / "table.csv"):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch, code):
    def refuse(**_):
        raise OSError(code, os.strerror(code))

    # Whoever runs tests may be root, who may write anywhere.
    monkeypatch.setattr("generalization.files.mkstemp", refuse)
    path = tmp_path / "table.csv"
    with pytest.raises(InputError) as caught, written_whole(path):
        raise AssertionError
    assert str(caught.value) == (
        f"{path} must be in a folder that can be written to, which {tmp_path} is not "
        f"({os.strerror(code)})."
    )
