"""renameat2(2): to swap two files at once, and to rename without replacing. Python has neither."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache

NOREPLACE = 1
EXCHANGE = 2
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)


def exchange(folder: int, one: bytes, other: bytes) -> bool:
    """Swap two names of a folder; False where the file system cannot. Raises OSError."""
    return _rename(folder, one, other, EXCHANGE)


def place(folder: int, source: bytes, target: bytes) -> None:
    """Rename `source` to `target`, which must not be there: FileExistsError. Raises OSError."""
    if _rename(folder, source, target, NOREPLACE):
        return
    os.link(source, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.unlink(source, dir_fd=folder)


def _rename(folder: int, source: bytes, target: bytes, flags: int) -> bool:
    function = _renameat2()
    if function is None:
        return False
    if function(folder, source, folder, target, flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), os.fsdecode(target))


@cache
def _renameat2() -> ctypes._NamedFuncPointer | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
        function.restype = ctypes.c_int
    return function
