"""Where shipped files are; and what is written, whole or not at all.

This is the one owner of renames.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import io
import json
import math
import os
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from sa3dhp import errors

if TYPE_CHECKING:
    import numpy as np

# Of the shipped models the one for videos of people: `adapt --videos` and `predict`.
VIDEO_MODEL = "people"
_BEGUN = ".tmp-"  # in the names of what is being written
_UNPACKED_FREE = 1 << 26  # bytes that any .npz may unpack to
_UNPACKED_MOST = 500  # times its own size that a larger one may: zeros pack well
# An installed package carries the repository's other folders here, see `setup.py`.
_PACKED = pathlib.Path(__file__).resolve().parent / "shipped"


def shipped(name: str) -> pathlib.Path:
    """Returns where a file or folder that comes with the program is.

    Args:
        name: in the repository, such as `configs/procedural.yaml`.

    Raises:
        InputError: if it is not there.
    """
    root = _PACKED.parent.parent
    for folder in [_PACKED, root] if (root / "setup.py").is_file() else [_PACKED]:
        if (folder / name).exists():
            return folder / name
    raise errors.InputError(
        f"{name}: does not come with this installation of sa3dhp ({_PACKED.parent}); "
        "give a path of your own, or install it again"
    )


def find(path: str | os.PathLike[str]) -> pathlib.Path:
    """Returns `path` if it exists, else the shipped file of that name, else `path`.

    So `configs/s2w.yaml` means the same in the repository and in any other folder.
    """
    own = pathlib.Path(path)
    if own.exists() or own.is_absolute() or ".." in own.parts or not own.parts:
        return own
    try:
        return shipped(str(own))
    except errors.InputError:
        return own


def networks(name: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the folder of networks: a path, or the name of a shipped model."""
    own = find(name)
    if own.is_dir() or len(own.parts) != 1:
        return own
    known = find(f"checkpoints/{own}")
    return known if known.is_dir() else own


def check_file(path: str | os.PathLike) -> None:
    """Makes sure that a name may become that of a file.

    Whoever may write to `/dev` would put a file in the place of a device, for all
    other programs.

    Raises:
        InputError: if there is a folder, a device or a pipe.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise errors.InputError(f"output: {path} is a folder, expected a file name")
    # `/dev/stdout` is a link, maybe to a file.
    device = os.path.dirname(os.path.abspath(path)) == "/dev"
    if device or (path.exists() and not path.is_file()):
        raise errors.InputError(
            f"output: {path} is a device or a pipe, expected a file name"
        )


@contextlib.contextmanager
def atomic(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary sibling of `path`, which takes its name on success.

    On an exception what was there before stays, and the temporary file is removed.

    Args:
        path: of the file; its folder is made.

    Raises:
        InputError: as `check_file`.
    """
    path = pathlib.Path(path)
    check_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: writers of pictures look at it.
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem}{_BEGUN}", suffix=path.suffix
    )
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def unfinished(path: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the temporary files that killed runs left of a file, see `atomic`."""
    path = pathlib.Path(path)
    return sorted(path.parent.glob(f".{glob.escape(path.stem)}.*{path.suffix}"))


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file, UTF-8, see `atomic`."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Writes JSON values, indented, see `atomic`."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def check_folder(path: str | os.PathLike, marker: str) -> None:
    """Makes sure that an output folder may be written, or replaced.

    Args:
        path: of the folder.
        marker: the file that tells an earlier output of this kind from a folder that
            holds something else.

    Raises:
        InputError: if there is a file, or a folder that holds something else.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise errors.InputError(f"output: {path} is a file, expected a folder's name")
    if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise errors.InputError(
            f"output: {path} holds other things (it has no {marker}); name a new folder"
        )


@contextlib.contextmanager
def replaced_folder(path: str | os.PathLike, marker: str) -> Iterator[pathlib.Path]:
    """Yields a temporary sibling folder that takes the name `path` on success.

    What was there before stays until then; on an exception it stays for good.

    Args:
        path: of the folder to write.
        marker: see `check_folder`.

    Raises:
        InputError: as `check_folder`.
    """
    check_folder(path, marker)
    path = pathlib.Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(
        tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}{_BEGUN}")
    )
    new, old = scratch / "new", scratch / "old"
    try:
        new.mkdir()  # under the user's umask, unlike `scratch`
        yield new
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(new, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_bounded(path: str | os.PathLike[str], most: int = 1 << 29) -> bytes:
    """Returns the bytes of a file that somebody else wrote.

    Args:
        path: of the file.
        most: bytes that a genuine one has; a hole on a disk can have terabytes.

    Raises:
        InputError: if it is larger.
        OSError: if it cannot be read.
    """
    size = os.path.getsize(path)
    if size > most:
        raise errors.InputError(f"{path}: {size} bytes, expected at most {most}")
    return pathlib.Path(path).read_bytes()


def check_npz(path: str | os.PathLike[str]) -> None:
    """Looks at what an `.npz` claims, before anything of it is read.

    An archive of some bytes can claim arrays of terabytes. What it may unpack to is
    bounded by its own size, far beyond what genuine files of numbers compress to.

    Raises:
        ValueError: where it claims more, or holds two of one name.
        zipfile.BadZipFile: for what is no archive.
        OSError: if it cannot be read.
    """
    packed = os.path.getsize(path)
    with zipfile.ZipFile(path) as archive:
        whole = sum(member.file_size for member in archive.infolist())
        names = archive.namelist()
    if len(set(names)) < len(names):
        raise ValueError("an array in it comes twice")
    if whole > max(_UNPACKED_FREE, _UNPACKED_MOST * packed):
        raise ValueError(f"{packed} bytes claim to unpack to {whole}")


def load_npz(
    path: str | os.PathLike[str],
    wanted: Callable[[str], bool] = lambda name: True,
    unpickle: Callable[[BinaryIO, str], Any] | None = None,
) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` file, each no larger than its bytes.

    Args:
        path: of the file.
        wanted: says which arrays are read, by name.
        unpickle: reads the pickle that stands for an array of objects, from the file
            and a name for messages; without it such arrays are refused.

    Raises:
        Exception: whatever a damaged file makes NumPy and zipfile raise; see
            `errors.reading`.
    """
    check_npz(path)
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            name = member.removesuffix(".npy")
            if wanted(name):
                data = archive.read(member)
                arrays[name] = load_npy(data, f"{path}: {name}", unpickle)
    return arrays


def load_npy(
    data: bytes,
    name: str,
    unpickle: Callable[[BinaryIO, str], Any] | None = None,
) -> np.ndarray:
    """Returns the array of a `.npy` file, given as its bytes; see `load_npz`."""
    import numpy as np  # not for a tool's `--help`

    file = io.BytesIO(data)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in readers:
        raise ValueError(f"{name}: version {version} of NumPy's format")
    shape, _, dtype = readers[version](file)
    count = math.prod(shape)
    if dtype.hasobject:
        if unpickle is None or dtype != np.dtype(object):
            raise ValueError(f"{name}: holds pickled objects, which are never loaded")
        array = unpickle(file, name)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise ValueError(f"{name}: expected an object array of shape {shape}")
        return array
    if count * max(dtype.itemsize, 1) > len(data):
        raise ValueError(f"{name}: claims {shape} of {dtype} in {len(data)} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def system_error(error: Exception, path: str | os.PathLike[str]) -> OSError:
    """Returns what the machine refused, of an error of TensorFlow's.

    Args:
        error: which says it by its class or its words.
        path: that was written.
    """
    text = str(error)
    by_words = (number for number in _REFUSALS if os.strerror(number) in text)
    number = next(by_words, _BY_CLASS.get(type(error).__name__, errno.EIO))
    return OSError(number, os.strerror(number), os.fspath(path))


_REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
    errno.EFBIG,
)  # fmt: skip
_BY_CLASS = {
    "ResourceExhaustedError": errno.ENOSPC,
    "PermissionDeniedError": errno.EACCES,
    "NotFoundError": errno.ENOENT,
}
_claimed: dict[pathlib.Path, int] = {}  # folder -> descriptor that holds its lock
_made: list[pathlib.Path] = []  # folders that were not there, the outer ones first
_prefaces: set[pathlib.Path] = set()
# How `tempfile` names what `atomic` and `replaced_folder` write first.
_LEFTOVER = re.compile(rf"\..+{re.escape(_BEGUN)}[a-z0-9_]{{8}}(\.[A-Za-z0-9]+)?")


def claim(folder: str | os.PathLike[str]) -> None:
    """Keeps a folder for this process, to its end; removes what killed runs left.

    The system forgets the claim with the process, however that ends.

    Raises:
        InputError: if another process is at work there, or it is a file.
    """
    home = pathlib.Path(folder).resolve()
    if home in _claimed:
        return
    check_is_folder(folder)
    _made.extend(path for path in (*home.parents[::-1], home) if not path.exists())
    home.mkdir(parents=True, exist_ok=True)
    held = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise errors.InputError(
                f"{folder}: another process is at work in this folder; wait for its "
                "end, or give another --workdir"
            ) from None
        return  # a disk without locks
    _claimed[home] = held
    for path in sorted(home.rglob(".*")):
        if _LEFTOVER.fullmatch(path.name) and not _is_at_work(path.parent, home):
            _remove(path)


@contextlib.contextmanager
def claimed(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keeps a folder for this process for a while, see `claim`."""
    home = pathlib.Path(folder).resolve()
    before = home in _claimed
    claim(folder)
    try:
        yield
    finally:
        if not before and home in _claimed:
            os.close(_claimed.pop(home))


def _is_at_work(folder: pathlib.Path, home: pathlib.Path) -> bool:
    """Whether another process has claimed a folder, or one above it, below `home`."""
    while folder != home and home in folder.parents:
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return True
        finally:
            os.close(held)
        folder = folder.parent
    return False


def check_is_folder(path: str | os.PathLike[str]) -> None:
    """Raises InputError for a file where a folder is to be made, or is."""
    for place in (pathlib.Path(path), *pathlib.Path(path).parents):
        if place.is_dir():
            return
        if place.exists():
            raise errors.InputError(f"{place}: is a file, expected a folder's name")


def preface(path: str | os.PathLike[str]) -> None:
    """Notes a file that is worth nothing alone, before it is written, see `release`."""
    if not os.path.lexists(path):
        _prefaces.add(pathlib.Path(path).resolve())


def release() -> None:
    """Leaves no trace of a run that came to nothing.

    Folders that `claim` made go where they hold nothing but empty folders and what
    `preface` names.
    """
    for home in _made[::-1]:
        there = [path for path in home.rglob("*") if not path.is_dir()]
        if set(there) <= _prefaces:
            shutil.rmtree(home, ignore_errors=True)


def _remove(path: pathlib.Path) -> None:
    """Removes a file or folder, if it is there and the system lets us."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
