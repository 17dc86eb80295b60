"""Logits of any array library as numpy, without a copy.

DLPack is the protocol that numpy, torch, jax and others share. numpy reads it for all types that it has itself;
bfloat16, which it has not, is read here, as an array of its bits.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from tokmill._tokmill import TokmillError

if TYPE_CHECKING:
    import numpy.typing as npt


class _DlTensor(ctypes.Structure):
    """`DLTensor` of dlpack.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_CPU, _BFLOAT = 1, 4
_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def as_numpy(logits: Any, dtype: str | None = None) -> tuple[npt.NDArray[Any], str | None]:
    """Return logits as an array and what it holds: "bfloat16" for bits in uint16, `dtype` otherwise.

    The array keeps what it shows alive.

    Raises:
        TokmillError: They are not on the CPU, are part of a graph of gradients, or no array.
    """
    if isinstance(logits, np.ndarray):
        return logits, dtype
    try:
        if str(getattr(logits, "dtype", "")).endswith("bfloat16"):
            return _bits(logits), "bfloat16"
        return np.from_dlpack(logits), dtype
    except (AttributeError, BufferError, RuntimeError, TypeError) as error:
        kind = f"{type(logits).__module__}.{type(logits).__name__}"
        raise TokmillError(f"logits of type {kind} cannot be read on the CPU by DLPack: {error}") from error


def as_float64(logits: Any, dtype: str | None = None) -> npt.NDArray[np.float64]:
    """Return logits as float64."""
    array, kind = as_numpy(logits, dtype)
    if kind == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)  # The upper half of a float32.
    return array.astype(np.float64)


def _bits(logits: Any) -> npt.NDArray[np.uint16]:
    """A bfloat16 tensor as uint16."""
    # The capsule owns the structure, and the tensor's memory with it; the array holds on to the capsule.
    capsule = logits.__dlpack__()
    tensor = _DlTensor.from_address(_get_pointer(capsule, b"dltensor"))
    if tensor.device_type != _CPU or (tensor.code, tensor.bits, tensor.lanes) != (_BFLOAT, 16, 1):
        raise BufferError("it holds something else, or is somewhere else")
    shape = tuple(tensor.shape[: tensor.ndim])
    if 0 in shape:
        return np.zeros(shape, dtype=np.uint16)
    strides = tuple(2 * stride for stride in tensor.strides[: tensor.ndim]) if tensor.strides else None
    extent = 2 + sum((length - 1) * abs(stride) for length, stride in zip(shape, strides or (), strict=False))
    size = extent if strides else 2 * int(np.prod(shape))
    memory = (ctypes.c_char * size).from_address(tensor.data + tensor.byte_offset)
    memory.capsule = capsule  # type: ignore[attr-defined]
    return np.ndarray(shape, dtype=np.uint16, buffer=memoryview(memory), strides=strides)
