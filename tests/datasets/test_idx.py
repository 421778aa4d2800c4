"""IDX files: encoding and decoding, and the errors for damaged files."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from microgad.datasets import DataError, decode_idx, encode_idx, read_idx

DTYPES = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]
# Three images of 2 x 2, and their IDX header.
IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
HEADER = bytes([0, 0, 0x08, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2])


@st.composite
def idx_arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES))).newbyteorder(draw(st.sampled_from("<>")))
    return draw(arrays(dtype, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)))


@given(idx_arrays())
def test_decode_idx_reverses_encode_idx(array):
    back = decode_idx(encode_idx(array))
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


@given(idx_arrays(), st.data())
def test_truncated_content_is_refused(array, data):
    content = encode_idx(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DataError):
        decode_idx(content[:cut])


@st.composite
def changed(draw):
    """The content of a file with one changed byte."""
    content = bytearray(encode_idx(draw(idx_arrays())))
    content[draw(st.integers(0, len(content) - 1))] ^= draw(st.integers(1, 255))
    return bytes(content)


@given(st.binary(max_size=40) | changed())
def test_arbitrary_bytes_are_decoded_exactly_or_refused(content):
    try:
        array = decode_idx(content)
    except ValueError:
        return
    assert encode_idx(array) == content


def test_the_format_is_that_of_mnist():
    assert encode_idx(IMAGES) == HEADER + bytes(range(12))
    np.testing.assert_array_equal(decode_idx(HEADER + bytes(range(12))), IMAGES)
    assert decode_idx(bytes([0, 0, 0x0C, 1, 0, 0, 0, 1, 0, 0, 1, 2])).tolist() == [258]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes, but an IDX header has at least 8"),
        (b"\0\0\x08", "3 bytes, but an IDX header has at least 8"),
        (b"<!DOCTYPE html>", r"not an IDX file: it begins with b'<!DO', an IDX file with two zero bytes"),
        (b"\0\0\x07" + HEADER[3:], "dtype code 0x07 in the IDX header, known are 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e"),
        (b"\0\0\x08\0", "0 dimensions in the IDX header, possible are 1 to 64"),
        (b"\0\0\x08\xff", "255 dimensions in the IDX header, possible are 1 to 64"),
        (HEADER[:10], "10 bytes, but the IDX header of 3 dimensions alone has 16"),
        (HEADER + bytes(11), r"1 bytes are missing: the IDX header says shape \(3, 2, 2\), 28 bytes; found 27"),
        (HEADER + bytes(14), r"2 trailing bytes: the IDX header says shape \(3, 2, 2\), 28 bytes; found 30"),
        (HEADER[:4] + b"\xff" * 12 + bytes(12), r"are missing: the IDX header says shape \(4294967295, "),
    ],
)
def test_the_error_names_the_file_and_the_damage(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"images: .*{message}.*Delete the file and get it again"):
        read_idx(path)


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_gzip_is_recognized_by_the_content_not_by_the_name(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(encode_idx(IMAGES)))
    np.testing.assert_array_equal(read_idx(tmp_path / name), IMAGES)


@pytest.mark.parametrize("kept", [2, 9, 12, -9, -4, -1])
def test_a_truncated_gzip_stream_is_refused(tmp_path, kept):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(encode_idx(IMAGES))[:kept])
    with pytest.raises(DataError, match=r"images\.gz: the gzip stream is cut off"):
        read_idx(path)


def test_every_flipped_byte_of_a_gzip_stream_is_found_or_harmless(tmp_path):
    path = tmp_path / "images.gz"
    whole = gzip.compress(encode_idx(IMAGES), mtime=0)
    found = 0
    for at in range(2, len(whole)):  # the first two bytes are gzip's magic number
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            np.testing.assert_array_equal(read_idx(path), IMAGES)
        except DataError:
            found += 1
    assert found >= len(whole) - 10  # harmless: only the header's time, level and system


def test_bytes_after_a_gzip_stream_are_refused(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(encode_idx(IMAGES)) + b"more")
    with pytest.raises(DataError, match=r"images\.gz: the gzip stream is broken"):
        read_idx(path)


@pytest.mark.parametrize("array", [np.zeros(3, np.int64), np.zeros(3, bool), np.zeros((), np.uint8)])
def test_encode_idx_refuses_arrays_that_idx_cannot_hold(array):
    with pytest.raises(DataError, match=rf"array is {array.dtype} with {array.ndim} dimensions"):
        encode_idx(array)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_idx(tmp_path / "nothing")
