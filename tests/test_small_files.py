"""Small files, which are read whole."""

import pytest

from spinet_tf.errors import InputError


def test_which_small_files_are_read(tmp_path):
    from spinet_tf.small_files import LARGEST, read_bytes

    path = tmp_path / "file"
    path.write_bytes(bytes(2**24))
    assert LARGEST == len(read_bytes(path)) == 2**24
    path.write_bytes(bytes(2**24 + 1))
    with pytest.raises(InputError, match="file: expected at most 16777216 bytes"):
        read_bytes(path)
    for name in ("/dev/zero", tmp_path):
        with pytest.raises(InputError, match="not a regular file"):
            read_bytes(name)
