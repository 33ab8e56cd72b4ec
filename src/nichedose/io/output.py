"""A results folder that is either whole or not there: lock, write beside it, rename."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from nichedose.errors import BadInput

__all__ = ["MARKER", "MARKER_KEY", "prepare_output", "replaced_folder"]

MARKER = "provenance.json"
MARKER_KEY = "nichedose_results"
_IGNORED = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_held: set[Path] = set()  # folders that this process has locked, so that writing inside `prepare_output` is no conflict


@contextmanager
def prepare_output(folder: str | Path, overwrite: bool) -> Iterator[Path]:
    """Hold ``folder`` for one run; checks before anything is computed that results can be written there.

    Raises `BadInput` when the folder belongs to another run that is still going, holds anything that nichedose did not
    write, or holds results and ``overwrite`` is False. A lock that a killed run left behind does not count.
    """
    place = _resolve(folder)
    if place in _held:
        raise BadInput(f"{place}: this process is already writing results there.")
    with _made_parents(place), _lock(place):
        _recover(place)
        _must_be_usable(place, overwrite)
        yield place


@contextmanager
def replaced_folder(folder: str | Path, overwrite: bool) -> Iterator[Path]:
    """A fresh folder to write into, which takes the place of ``folder`` when the block ends without an error.

    Until then, and after an error or an interrupt, ``folder`` is as it was.
    """
    place = _resolve(folder)
    if place not in _held:
        with prepare_output(place, overwrite), replaced_folder(place, overwrite) as part:
            yield part
        return
    _must_be_usable(place, overwrite)
    part = _sibling(place, "part")
    part.mkdir()
    try:
        yield part
        _put_in_place(part, place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _resolve(folder: str | Path) -> Path:
    place = Path(folder).expanduser().resolve()
    if not place.name:
        raise BadInput(f"{place}: cannot be a results folder; name a folder of its own.")
    return place


def _sibling(place: Path, suffix: str) -> Path:
    return place.with_name(f".{place.name}.nichedose-{suffix}")


def _must_be_usable(place: Path, overwrite: bool) -> None:
    if not place.exists():
        return
    if not place.is_dir():
        raise BadInput(f"{place}: is a file; results need a folder of their own. Choose another output folder.")
    there = {p.name for p in place.iterdir()} - _IGNORED
    if not there:
        return
    ours = _files_written(place)
    if ours is None:
        raise BadInput(f"{place}: holds {_some(there)}, which is no nichedose result; nothing there is touched. Choose "
                       "a new or empty output folder.")
    foreign = there - ours
    if foreign:
        raise BadInput(f"{place}: holds earlier results and also {_some(foreign)}, which nichedose did not write and "
                       "would be lost. Move it away, or choose another output folder.")
    if not overwrite:
        raise BadInput(f"{place}: holds earlier results. Choose another output folder, or replace them with "
                       "--overwrite (for a plan also: overwrite = true under [output] in the case).")


def _files_written(place: Path) -> set[str] | None:
    """Names at the top of a nichedose results folder; None when it is not one."""
    try:
        marker = json.loads((place / MARKER).read_text(encoding="utf-8"))
        return {str(name) for name in marker[MARKER_KEY]["files"]} | {MARKER}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _some(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")


def _recover(place: Path) -> None:
    """Finish or undo what a killed run left: a half-written folder goes, earlier results come back."""
    shutil.rmtree(_sibling(place, "part"), ignore_errors=True)
    old = _sibling(place, "old")
    if old.exists():
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(place)


def _put_in_place(part: Path, place: Path) -> None:
    if not place.exists():
        part.rename(place)
        return
    old = _sibling(place, "old")
    place.rename(old)
    try:
        part.rename(place)
    except BaseException:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _made_parents(place: Path) -> Iterator[None]:
    """Parents of ``place``; those made here go again when nothing was written."""
    missing = [p for p in place.parents if not p.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{place}: the folder cannot be made ({error.strerror or error}); choose another output "
                       "folder.") from error
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: results were written
            for parent in missing:
                parent.rmdir()


@contextmanager
def _lock(place: Path) -> Iterator[None]:
    """Hold the lock file beside ``place``. The system drops the lock of a dead process: a stale file binds nobody."""
    path = _sibling(place, "lock")
    handle = _acquire(path, place)
    _held.add(place)
    try:
        handle.seek(0)
        handle.truncate()
        handle.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        handle.flush()
        yield
    finally:
        _held.discard(place)
        if sys.platform == "win32":  # an open file cannot be removed there
            handle.close()
        with suppress(OSError):
            path.unlink()
        handle.close()


def _acquire(path: Path, place: Path) -> IO[str]:
    while True:
        try:
            handle = path.open("a+", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise BadInput(f"{place}: cannot be written ({reason}); choose another output folder.") from error
        if not _try_lock(handle):
            handle.close()
            raise BadInput(f"{place}: in use by another run ({_owner(path)}). Wait until it ends, or choose another "
                           "output folder.")
        # the owner before may have removed the file between opening and locking it
        with suppress(FileNotFoundError):
            if os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
                return handle
        handle.close()


def _owner(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "just starting"
    except OSError:
        return "owner unknown"


def _try_lock(handle: IO[Any]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(1 << 20)  # beyond the text, which others must be able to read
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # a file system without locks: results are still put in place whole, only the early warning is lost
        return error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
    return True
