"""Pickles and checkpoints released by others are read without executing code in them."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.pickles import read_pickled_arrays
from face_expr_ros.models.torch_files import read_torch_weights

Weights = dict[str, NDArray[Any]]


class Evil:
    """Creates a folder when it is unpickled by the standard unpickler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(5))  # the fifth is for buffers outside the file
def test_arrays_of_every_pickle_protocol_are_read(protocol: int) -> None:
    arrays = {"mean": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array([1, 2], ">i8")}
    read = read_pickled_arrays(pickle.dumps(arrays, protocol=protocol), "x.pkl")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)


def test_an_error_of_numpy_itself_is_reported_as_damage() -> None:
    data = pickle.dumps(np.eye(2), protocol=4).replace(b"(K\x03\x8c\x01<", b"(K(K\x03\x8c\x01<")
    with pytest.raises(BundleError, match=r"x\.pkl is not a complete pickle of arrays"):
        read_pickled_arrays(data, "x.pkl")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_single_array_has_an_empty_name(protocol: int) -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3))
    data = pickle.dumps(array, protocol=protocol)
    np.testing.assert_array_equal(read_pickled_arrays(data, "x.pkl")[""], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"u": evil}, lambda evil: {"u": np.array([evil])}])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_is_rejected_before_any_call(
    tmp_path: Path, wrap: Callable[[Evil], Any], protocol: int
) -> None:
    data = pickle.dumps(wrap(Evil(tmp_path / "made")), protocol=protocol)
    with pytest.raises(BundleError, match=r"x\.pkl is not a complete pickle of arrays: .* a reference to posix\.mkdir"):
        read_pickled_arrays(data, "x.pkl")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"u": [1, 2]}, "x.pkl: expected numeric arrays, got list as 'u'"),
        ("text", "got str as ''"),
        ({"u": np.array([None])}, "got an array of object as 'u'"),
        ({"u": np.array(["a"])}, "got an array of <U1 as 'u'"),
    ],
)
def test_a_pickle_of_other_objects_is_rejected(value: Any, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        read_pickled_arrays(pickle.dumps(value), "x.pkl")


@pytest.mark.parametrize("kept", [0, 1, 20, 100])
def test_a_truncated_pickle_is_rejected(kept: int) -> None:
    data = pickle.dumps({"u": np.zeros(100)})
    with pytest.raises(BundleError, match="is not a complete pickle of arrays"):
        read_pickled_arrays(data[:kept], "x.pkl")


# Checkpoints of PyTorch, written without PyTorch


class FakeStorage:
    """The memory that tensors are views of."""

    def __init__(self, key: str, numbers: NDArray[Any]) -> None:
        self.key, self.numbers = key, numbers


class FakeTensor:
    """A view of a storage, pickled as PyTorch does it."""

    def __init__(self, storage: FakeStorage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.view = (storage, offset, shape, stride)

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (*self.view, False, OrderedDict())


class TorchPickler(pickle.Pickler):
    """Writes references to storages instead of their contents."""

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, FakeStorage):
            return None
        kind = {"f": "FloatStorage", "i": "LongStorage"}[obj.numbers.dtype.kind]
        return ("storage", getattr(sys.modules["torch"], kind), obj.key, "cpu", obj.numbers.size, None)[: self.parts]

    parts = 6  # the legacy format has a sixth, for views


@pytest.fixture(autouse=True)
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part of PyTorch that a pickle refers to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None:
        raise AssertionError("PyTorch is not called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    monkeypatch.setattr(utils, "_rebuild_tensor_v2", _rebuild_tensor_v2, raising=False)
    for name in ("FloatStorage", "LongStorage"):
        monkeypatch.setattr(torch, name, type(name, (), {"__module__": "torch"}), raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def storages_of(value: Any) -> dict[str, FakeStorage]:
    if isinstance(value, FakeTensor):
        return {value.view[0].key: value.view[0]}
    values = value.values() if isinstance(value, dict) else ()
    return {key: storage for entry in values for key, storage in storages_of(entry).items()}


def pickled(value: Any, parts: int) -> bytes:
    buffer = io.BytesIO()
    pickler = TorchPickler(buffer, protocol=2)
    pickler.parts = parts
    pickler.dump(value)
    return buffer.getvalue()


def legacy(value: Any) -> bytes:
    """A checkpoint as PyTorch wrote it before 1.6."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    storages = storages_of(value)
    parts = [pickle.dumps(part, protocol=2) for part in head]
    parts += [pickled(value, 6), pickle.dumps(sorted(storages), protocol=2)]
    for key in sorted(storages):
        parts += [np.int64(storages[key].numbers.size).tobytes(), storages[key].numbers.tobytes()]
    return b"".join(parts)


def zipped(value: Any) -> bytes:
    """A checkpoint as PyTorch writes it since 1.6."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("name/data.pkl", pickled(value, 5))
        archive.writestr("name/byteorder", "little")
        for key, storage in storages_of(value).items():
            archive.writestr(f"name/data/{key}", storage.numbers.tobytes())
    return buffer.getvalue()


def checkpoint(weights: Weights, prefix: str = "module.") -> dict[str, Any]:
    """Every weight a tensor with a storage of its own."""
    tensors = {}
    for number, (name, weight) in enumerate(weights.items()):
        stride = tuple(step // weight.itemsize for step in np.zeros(weight.shape, weight.dtype).strides)
        tensors[prefix + name] = FakeTensor(FakeStorage(str(number), weight.ravel()), 0, weight.shape, stride)
    return {"epoch": 7, "state_dict": OrderedDict(tensors)}


FORMATS = pytest.mark.parametrize("write", [legacy, zipped])


@FORMATS
def test_weights_of_both_formats_are_read_without_pytorch(write: Callable[[Any], bytes]) -> None:
    weights = {
        "conv.weight": np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32),
        "bn.num_batches_tracked": np.array(12),
    }
    read = read_torch_weights(write(checkpoint(weights)), "x.pth")
    assert read.keys() == weights.keys()
    for name, weight in weights.items():
        np.testing.assert_array_equal(read[name], weight)
        assert read[name].shape == weight.shape


@FORMATS
def test_a_transposed_view_of_a_shared_storage_is_read(write: Callable[[Any], bytes]) -> None:
    storage = FakeStorage("0", np.arange(20, dtype=np.float32))
    value = {"a": FakeTensor(storage, 4, (2, 3), (1, 2)), "b": FakeTensor(storage, 19, (), ())}
    read = read_torch_weights(write(value), "x.pth")
    np.testing.assert_array_equal(read["a"], [[4, 6, 8], [5, 7, 9]])
    assert read["b"] == 19


@FORMATS
@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(0, (21,), (1,)), (15, (2, 3), (3, 1)), (-1, (2,), (1,)), (4, (3,), (-2,)), (0, (2,), (10**15,))],
)
def test_a_tensor_larger_than_its_storage_is_rejected(
    write: Callable[[Any], bytes], offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    value = {"a": FakeTensor(FakeStorage("0", np.arange(20, dtype=np.float32)), offset, shape, stride)}
    with pytest.raises(BundleError, match=r"x\.pth is not a complete file of PyTorch weights: .* exceeds its 20"):
        read_torch_weights(write(value), "x.pth")


@FORMATS
@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_rejected(write: Callable[[Any], bytes], part: float) -> None:
    data = write(checkpoint({"conv.weight": np.zeros((32, 3, 3, 3), np.float32)}))
    with pytest.raises(BundleError, match="is not a complete file of PyTorch weights"):
        read_torch_weights(data[: int(part * len(data))], "x.pth")


@FORMATS
def test_a_malicious_checkpoint_is_rejected_before_any_call(write: Callable[[Any], bytes], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"expected arrays, got a reference to posix\.mkdir"):
        read_torch_weights(write({"state_dict": Evil(tmp_path / "made")}), "x.pth")
    assert not (tmp_path / "made").exists()


@FORMATS
def test_weights_that_are_not_tensors_are_rejected(write: Callable[[Any], bytes]) -> None:
    with pytest.raises(BundleError, match="expected tensors, got str among its weights"):
        read_torch_weights(write({"state_dict": {"a": "text"}}), "x.pth")
