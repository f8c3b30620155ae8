"""Pickles of arrays are read without running what they name, or letting numpy make their types."""

import io
import pickle
import struct

import numpy as np
import pytest

from nonlocal_zoo.datasets.arrays import TYPES, ArrayUnpickler


def read(data, encoding="latin1"):
    return ArrayUnpickler(io.BytesIO(data), encoding).load()


def sample(kind):
    return np.arange(12).reshape(3, 4).astype(kind)


@pytest.mark.parametrize("kind", [*TYPES, ">i4", ">f8"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(kind, protocol, order):
    """In lists and dicts, in any layout, with the numbers that were written."""
    array = np.array(sample(kind), order=order)
    content = {"a": [array, array[:0]], "b": (1, 2.5, "text")}
    found = read(pickle.dumps(content, protocol))
    assert found["b"] == content["b"] and found["a"][1].shape == (0, 4)
    assert type(found["a"][0]) is np.ndarray and found["a"][0].dtype.kind == array.dtype.kind
    np.testing.assert_array_equal(found["a"][0], array)


def state(code, flags, raw, shape=(12,)):
    """A pickle of Python 2 of one array whose type has these flags."""
    order = {b"|": b"U\x01|", b"<": b"U\x01<"}[flags[:1]]
    sizes = b"".join(b"K" + bytes([n]) for n in shape)
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01("
        + sizes + b"tcnumpy\ndtype\n(U" + bytes([len(code)]) + code
        + b"I00\nI01\ntR(K\x03" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        + b"K" + flags[1:] + b"tbI00\nT" + struct.pack("<I", len(raw)) + raw + b"tb."
    )  # fmt: skip


def test_flags_of_a_type_are_not_taken_from_the_file():
    """63 would say that the bytes are pointers to objects."""
    raw = np.arange(12, dtype="<i8").tobytes()
    np.testing.assert_array_equal(read(state(b"i8", b"<\x3f", raw)), np.arange(12))


@pytest.mark.parametrize("code", [b"O8", b"V8", b"S8", b"U2", b"M8", b"c16", b"i8,i8", b"i3"])
def test_other_types_are_refused(code):
    with pytest.raises(pickle.UnpicklingError, match="allowed: b1, i1"):
        read(state(code, b"|\x3f", b"A" * 96))


@pytest.mark.parametrize("shape", [(11,), (13,), (3, 5), (255, 255)])
def test_sizes_that_do_not_fit(shape):
    with pytest.raises(pickle.UnpicklingError, match="96 bytes for an array"):
        read(state(b"i8", b"<\x00", b"A" * 96, shape))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00aX\x04\x00\x00\x00zlibtR.", "zlib"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(tR.", "without numbers"),
        (b"\x80\x02cos\nsystem\n(U\x02lstR.", "os.system"),
        (b"\x80\x02cnumpy\nload\n(U\x01xtR.", "numpy.load"),
        (b"\x80\x02c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "damaged"),
    ],
)
def test_what_is_refused(data, words):
    with pytest.raises(pickle.UnpicklingError, match=words):
        read(data)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_damage_is_an_error_or_a_value(protocol):
    """A byte changed anywhere: never another error than the one of damaged files, and no crash."""
    whole, draw = pickle.dumps([sample("f4"), sample("i8")], protocol), np.random.default_rng(0)
    for _ in range(500):
        data = bytearray(whole)
        data[draw.integers(len(data))] = draw.integers(256)
        try:
            read(bytes(data))
        except (pickle.UnpicklingError, EOFError):
            continue
