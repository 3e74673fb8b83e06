"""An unpickler restricted to NumPy arrays.

Python's unpickler calls any function that a file names. This one allows only the few functions that create arrays.
"""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError

RECONSTRUCT: Any = np.zeros(0).__reduce__()[0]  # the private function that pickled arrays reference
# Exceptions of the unpickler for damaged files; SystemError is of NumPy's types.
BROKEN = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    RecursionError, SystemError,
)  # fmt: skip


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as encoded in pickles of protocol 2; other codecs are refused because some of them decompress."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"expected the encoding 'latin1', got {encoding!r}")
    return text.encode("latin1")


def _frombuffer(data: bytes | bytearray, dtype: Any, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    """An array of protocol 5, the default of Python 3.14; NumPy refuses objects here."""
    return np.frombuffer(data, dtype).reshape(shape, order=order)


NUMPY_FUNCTIONS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): collections.OrderedDict,
}


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles with only the functions of a table."""

    def __init__(self, stream: io.BufferedIOBase | io.BytesIO, functions: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(stream, encoding="latin1")
        self._functions = functions

    def find_class(self, module: str, name: str) -> Any:
        """The function of this name in the table."""
        if (module, name) not in self._functions:
            raise pickle.UnpicklingError(f"expected arrays, got a reference to {module}.{name}")
        return self._functions[module, name]


def read_pickled_arrays(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of a pickle that contains one array (under the name "") or a dict of arrays.

    Raises:
        BundleError: it is damaged or contains anything except numeric arrays. Nothing in it is executed.
    """
    try:
        value = ArrayUnpickler(io.BytesIO(data), NUMPY_FUNCTIONS).load()
    except (*BROKEN, MemoryError) as error:
        raise BundleError(f"{name} is not a complete pickle of arrays: {error}; fetch it again") from error
    arrays = value if isinstance(value, dict) else {"": value}
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            kind = f"an array of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            raise BundleError(f"{name}: expected numeric arrays, got {kind} as {key!r}")
    return arrays
