"""A user's file that defines a kernel: a Python file, which is run once, or a TOML file, which names programs."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from daasbench.authoring import command_file
from daasbench.authoring.command import CommandKernel
from daasbench.authoring.function import FunctionKernel
from daasbench.errors import DaasbenchError, PluginError, unknown

_FILE = re.compile(r"(?P<file>.*\.(?:py|toml))(?::(?P<chosen>[^/]*))?", re.DOTALL)


def is_file(name: str) -> bool:
    """Return whether a kernel's name is a path of a user's file, or ``file.py:kernel``."""
    return _FILE.fullmatch(name) is not None


def source_of(path: Path) -> tuple[Path, str]:
    """Return the path of the file, and the kernel chosen by ``file.py:kernel`` ("" if none is chosen)."""
    match = _FILE.fullmatch(str(path))
    return (Path(match["file"]), match["chosen"] or "") if match else (path, "")


def content_of(file: Path) -> str:
    """Return the hash of the file's content: 12 hexadecimal digits."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise PluginError(f"{file}: cannot be read: {error.strerror}") from error


def kernel_from_file(path: Path) -> FunctionKernel | CommandKernel:
    """Return the kernel that a user's file defines; ``file.py:name`` chooses among several.

    Raises
    ------
    PluginError, ScenarioError, UnknownName
        If the file is missing, does not run or defines no kernel, or if it defines several and none is chosen.
    """
    file, chosen = source_of(path)
    if not file.is_file():
        message = "is a folder" if file.is_dir() else "no such file"
        raise PluginError(f"{file}: {message}; name a file that defines a kernel")
    if file.suffix == ".toml":
        found_here = command_file.load(file)
        if chosen not in ("", found_here.name):
            raise unknown("kernel", chosen, [found_here.name], str(file))
        return found_here
    found = {
        item.name: item
        for item in vars(_module(file.resolve(), shown=file)).values()
        if isinstance(item, FunctionKernel)
    }
    if not found:
        raise PluginError(f"{file}: defines no kernel; decorate a function with @daasbench.kernel(...)")
    if chosen and chosen not in found:
        raise unknown("kernel", chosen, found, str(file))
    if len(found) > 1 and not chosen:
        choices = " or ".join(f"{file.name}:{name}" for name in sorted(found))
        raise PluginError(f"{file}: defines {len(found)} kernels; choose one: {choices}")
    kernel = found[chosen] if chosen else next(iter(found.values()))
    if not kernel.has_inputs and not kernel.reads_files:
        raise PluginError(f"{file}: kernel {kernel.name} has no inputs; add @{kernel.name}.inputs(tiny={{...}})")
    return kernel


def _module(file: Path, *, shown: Path) -> ModuleType:
    """Return the module of the file with its current content; the same content is run only once."""
    where = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"daasbench_user_{where}_{content_of(file)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"{shown}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it defines can be pickled
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for tables and JSON
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code
        del sys.modules[name]
        raise PluginError(f"{shown}{_line_of(error, file)}: {_explanation(error, file)}") from error
    return module


def _line_of(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f":{lines[-1]}" if lines else ""


def _explanation(error: BaseException, file: Path) -> str:
    if isinstance(error, DaasbenchError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"is not valid Python: {error.msg}"
    said = f"does not run: {type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, ModuleNotFoundError):
        neighbour = file.parent / f"{str(error.name).partition('.')[0]}.py"
        if neighbour.is_file():
            fix = f"copy {neighbour.name} into the file, or install it as a package"
            return f"{said}; a kernel's file must be self-contained: {fix}"
        return f"{said}; install it, or import it inside the implementation with requires=({error.name!r},)"
    return said
