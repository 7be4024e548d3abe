"""A file appears whole or not at all."""

import errno
import os

import pytest

from twin.errors import ConfigError
from twin.files import PART, alone_in, whole, write_text


def test_text_is_there_under_its_own_name_alone(tmp_path):
    path = write_text(tmp_path / "a.json", "°")
    assert path.read_text(encoding="utf-8") == "°"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_half_way_leaves_the_file_before_it(tmp_path):
    path = write_text(tmp_path / "a.csv", "old")
    with pytest.raises(OSError, match="full"), whole(path) as part:
        part.write_text("ne")
        raise OSError("full")
    assert path.read_text() == "old"
    assert (tmp_path / f"a.csv{PART}").read_text() == "ne"


def test_a_full_disk_tells_of_which_file(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(OSError, match="No space") as told, whole(path) as part:
        part.write_text("ne")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write does: it has no name
    assert told.value.filename == str(path)


def test_a_link_in_the_way_is_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("precious")
    (tmp_path / f"a.json{PART}").symlink_to(elsewhere)
    path = write_text(tmp_path / "a.json", "new")
    assert (path.read_text(), path.is_symlink()) == ("new", False)
    assert elsewhere.read_text() == "precious"


def test_two_runs_do_not_write_into_one_folder_at_once(tmp_path):
    busy = pytest.raises(ConfigError, match="another run or sweep is writing")
    with alone_in(tmp_path), busy, alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass
