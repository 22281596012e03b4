"""The hash of a file that is read anyway is the hash of the file, whatever was read of it and in which order."""

import hashlib

import pytest

from degradekit.shards.hashed import HashedBlob, sha256_of

DATA = bytes(range(256)) * 20


@pytest.mark.parametrize(
    "reads",
    [
        [],
        [(0, 5120)],
        [(100, 50), (120, 4), (120, 100), (3000, 1)],
        [(4000, 5000), (0, 10)],
        [(0, 7), (7, 7), (7, 7), (14, 5000)],
    ],
)
def test_it_is_of_the_whole_file(tmp_path, reads):
    file = tmp_path / "file"
    file.write_bytes(DATA)
    blob = HashedBlob(file)
    assert [blob.pread(*read) for read in reads] == [DATA[offset : offset + length] for offset, length in reads]
    assert blob.sha256() == blob.sha256() == sha256_of(file) == hashlib.sha256(DATA).hexdigest()
