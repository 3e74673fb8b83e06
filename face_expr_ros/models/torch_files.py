"""Reads the weights of a PyTorch checkpoint as NumPy arrays, without PyTorch and without executing anything in it.

There are two formats. Before PyTorch 1.6 a file is a sequence of pickles (a magic number, a version, the sizes of the
machine's types, the object, the keys of the storages) followed by the storages, each its number of elements and its
bytes. Since then it is a zip archive of one pickle and a file for each storage. `torch/serialization.py` defines both.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models.pickles import BROKEN, NUMPY_FUNCTIONS, ArrayUnpickler

Weights = dict[str, NDArray[Any]]
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
STORAGE_TYPES = {
    "HalfStorage": "<f2", "FloatStorage": "<f4", "DoubleStorage": "<f8", "ByteStorage": "u1", "CharStorage": "i1",
    "ShortStorage": "<i2", "IntStorage": "<i4", "LongStorage": "<i8", "BoolStorage": "?",
}  # fmt: skip


@dataclass(frozen=True)
class _Storage:
    """A named block of `size` values, of which tensors are views."""

    key: str
    dtype: np.dtype[Any]
    size: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_torch_weights(data: bytes, name: str) -> Weights:
    """The tensors of a checkpoint by name: those of `state_dict` if there is one, without the prefix `module.`.

    Raises:
        BundleError: the file is damaged or contains anything except tensors and plain values.
    """
    read = _read_zip if data[:4] == b"PK\x03\x04" else _read_legacy
    try:
        tensors, storage_bytes = read(data)
        state = tensors.get("state_dict", tensors)
        return {key.removeprefix("module."): _array(tensor, storage_bytes) for key, tensor in state.items()}
    except (*BROKEN, MemoryError, zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise BundleError(f"{name} is not a complete file of PyTorch weights: {error}; fetch it again") from error


def _read_legacy(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    stream = io.BytesIO(data)
    head = [ArrayUnpickler(stream, {}).load() for _ in range(2)]
    if head != [LEGACY_MAGIC, LEGACY_PROTOCOL]:
        raise ValueError("it has neither of PyTorch's two formats")
    if not ArrayUnpickler(stream, {}).load()["little_endian"]:
        raise ValueError("it was written on a big-endian machine")
    unpickler = _TensorUnpickler(stream, _FUNCTIONS)
    tensors = unpickler.load()
    blocks = {}
    for key in ArrayUnpickler(stream, {}).load():
        storage = unpickler.storages[key]
        (size,) = np.frombuffer(stream.read(8), "<i8")
        if size != storage.size:
            raise ValueError(f"storage {key}: expected {storage.size} values, got {size}")
        blocks[key] = stream.read(storage.size * storage.dtype.itemsize)
    return tensors, lambda storage: blocks[storage.key]


def _read_zip(data: bytes) -> tuple[Any, Callable[[_Storage], bytes]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    (root,) = {name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")}
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("it was written on a big-endian machine")
    tensors = _TensorUnpickler(io.BytesIO(archive.read(f"{root}data.pkl")), _FUNCTIONS).load()
    return tensors, lambda storage: archive.read(f"{root}data/{storage.key}")


class _TensorUnpickler(ArrayUnpickler):
    """Creates descriptions of tensors; `storages` are those referenced so far."""

    def __init__(self, stream: io.BytesIO, functions: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(stream, functions)
        self.storages: dict[str, _Storage] = {}

    def persistent_load(self, reference: Any) -> _Storage:
        """A storage from the tuple ("storage", type, key, location, size[, view])."""
        kind, dtype, key, _, size = reference[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype) or any(part is not None for part in reference[5:]):
            raise pickle.UnpicklingError(f"expected a reference to a storage, got {reference!r}")
        return self.storages.setdefault(str(key), _Storage(str(key), dtype, int(size)))


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> _Tensor:
    """Replaces torch._utils._rebuild_tensor_v2."""
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError(f"expected a tensor of a storage, got one of {type(storage).__name__}")
    return _Tensor(storage, offset, tuple(shape), tuple(stride))


def _array(tensor: Any, storage_bytes: Callable[[_Storage], bytes]) -> NDArray[Any]:
    if not isinstance(tensor, _Tensor):
        raise ValueError(f"expected tensors, got {type(tensor).__name__} among its weights")
    numbers = np.frombuffer(storage_bytes(tensor.storage), tensor.storage.dtype)
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride, strict=True))
    # as_strided does not check the end of the storage.
    if min((tensor.offset, *tensor.shape, *tensor.stride)) < 0 or not 0 <= last < len(numbers) == tensor.storage.size:
        raise ValueError(f"a tensor of shape {tensor.shape} exceeds its {len(numbers)} values")
    strides = [step * numbers.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()


_FUNCTIONS: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("collections", "OrderedDict"): NUMPY_FUNCTIONS["collections", "OrderedDict"],
    **{("torch", name): np.dtype(code) for name, code in STORAGE_TYPES.items()},
}
