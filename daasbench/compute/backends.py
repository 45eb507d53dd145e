"""Backends (`put`, `get` and `wait` for arrays of the host and of CUDA), and the check of requirements.

Implementations of the backends ``mpi`` and ``dask`` move their blocks themselves
(:class:`~daasbench.contracts.Partitioned`).
A block or a result may be an array, or any nest of mappings, sequences and dataclasses of arrays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from daasbench.contracts import Backend, Implementation
from daasbench.errors import MissingRequirement, unknown
from daasbench.host.installation import command_here
from daasbench.host.machine import has_nvidia_gpu

if TYPE_CHECKING:
    import numpy as np


def map_arrays(change: Callable[[Any], Any], nest: Any) -> Any:
    """Return `nest` with `change` applied to every array in it (anything with ``shape`` and ``dtype``)."""
    if hasattr(nest, "shape") and hasattr(nest, "dtype"):
        return change(nest)
    if isinstance(nest, Mapping):
        return {key: map_arrays(change, value) for key, value in nest.items()}
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        return type(nest)(*(map_arrays(change, value) for value in nest))
    if isinstance(nest, (list, tuple)):
        return type(nest)(map_arrays(change, value) for value in nest)
    if dataclasses.is_dataclass(nest) and not isinstance(nest, type):
        changed = {f.name: map_arrays(change, getattr(nest, f.name)) for f in dataclasses.fields(nest)}
        return dataclasses.replace(nest, **changed)
    return nest


def walk_arrays(nest: Any) -> Iterator[Any]:
    """Yield every array in `nest`, in a fixed order."""
    if hasattr(nest, "shape") and hasattr(nest, "dtype"):
        yield nest
    elif isinstance(nest, Mapping):
        for value in nest.values():
            yield from walk_arrays(value)
    elif isinstance(nest, (list, tuple)):
        for value in nest:
            yield from walk_arrays(value)
    elif dataclasses.is_dataclass(nest) and not isinstance(nest, type):
        for field in dataclasses.fields(nest):
            yield from walk_arrays(getattr(nest, field.name))


def arrays_in(nest: Any) -> list[np.ndarray[Any, Any]]:
    """Return every array in `nest`, in a fixed order."""
    return list(walk_arrays(nest))


class HostBackend:
    """Arrays in host memory: nothing is moved, and a call has completed when it returns."""

    name = "host"

    def put(self, block: Any) -> Any:
        """Return `block` itself."""
        return block

    def get(self, result: Any) -> Any:
        """Return `result` itself."""
        return result

    def wait(self) -> None:
        """Return at once."""

    def peak_bytes(self) -> int | None:
        """Return None: the process's own peak is the host's."""
        return None


class CudaBackend:
    """Arrays on the first visible CUDA device, through CuPy."""

    name = "cuda"

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy

    def put(self, block: Any) -> Any:
        """Return `block` with its arrays on the device."""
        return map_arrays(self._cupy.asarray, block)

    def get(self, result: Any) -> Any:
        """Return `result` with its arrays in host memory."""
        return map_arrays(self._cupy.asnumpy, result)

    def wait(self) -> None:
        """Wait until the device has completed all its work."""
        self._cupy.cuda.get_current_stream().synchronize()

    def peak_bytes(self) -> int | None:
        """Return the bytes that CuPy's memory pool took from the device: its peak, as the pool never shrinks."""
        return int(self._cupy.get_default_memory_pool().total_bytes())


class PartitionedBackend(HostBackend):
    """Arrays in the host memory of ranks or workers: a call has completed when it returns."""

    name = "partitioned"


PARTITIONED = ("mpi", "dask")
BACKENDS: Mapping[str, Callable[[], Backend]] = {
    "host": HostBackend,
    "cuda": CudaBackend,
    "mpi": PartitionedBackend,
    "dask": PartitionedBackend,
}


def open_backend(name: str) -> Backend:
    """Return the backend `name`; raise UnknownName if there is none."""
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    return BACKENDS[name]()


def require(implementation: Implementation) -> None:
    """Raise MissingRequirement, with its fix, if this machine does not have what `implementation` requires.

    A missing GPU comes first: a package for it would be installed for nothing.
    """
    if implementation.backend == "cuda" and not has_nvidia_gpu():
        raise MissingRequirement("no NVIDIA GPU in this machine", "use a machine that has one")
    for module in implementation.requires:
        if not _is_installed(module):
            raise MissingRequirement(f"the Python package {module} is not installed", _fix(implementation, module))
    for program in implementation.programs:
        if shutil.which(program) is None:
            raise MissingRequirement(
                f"the program {program} is not installed", command_here(implementation.fix or f"install it: {program}")
            )
    check = {"cuda": _require_cuda, "mpi": _require_mpi, "dask": _require_dask}.get(implementation.backend)
    if check:
        check()


def import_needed(implementation: Implementation) -> None:
    """Import the modules that `implementation` requires; an import that fails is reported where the module is used."""
    for module in implementation.requires:
        with contextlib.suppress(Exception):  # foreign code: a missing MPI library, a driver
            importlib.import_module(module)


def is_installed(implementation: Implementation) -> bool:
    """Return whether the modules and programs that `implementation` requires are installed."""
    return all(map(_is_installed, implementation.requires)) and all(map(shutil.which, implementation.programs))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a part of a package that is not installed, or cannot be imported
        return False


def _fix(implementation: Implementation, module: str) -> str:
    package = " ".join(implementation.packages) or module.partition(".")[0]
    return command_here(implementation.fix or f"install it: pip install {package}")


def mpi_version_text() -> str:
    """Return the version text of the MPI library that mpi4py finds.

    Raises
    ------
    MissingRequirement
        mpi4py is not installed, or finds no MPI library.
    """
    if importlib.util.find_spec("mpi4py") is None:
        raise MissingRequirement("mpi4py is not installed", command_here("install it: pip install 'daasbench[mpi]'"))
    if "mpi4py.MPI" in sys.modules:
        return str(sys.modules["mpi4py.MPI"].Get_library_version())
    answer, found = _ask_mpi()
    if not found:
        raise MissingRequirement(
            f"mpi4py finds no MPI library ({answer})",
            f"load the MPI module of your site, or install one: {command_here('pip install mpich')}",
        )
    return answer


def library_name(version_text: str) -> str:
    """Return the short name and version in the version text of an MPI library."""
    words = version_text.split("\n", 1)[0].replace("Version:", " ").replace(",", " ").replace("\0", " ").split()
    return " ".join(words[:3] if words[:2] == ["Open", "MPI"] else words[:2]) or "an MPI without a name"


@functools.cache
def _ask_mpi() -> tuple[str, bool]:
    """Return the version text and True, or an error and False; a separate process loads MPI, which can change it."""
    code = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error), False
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return (done.stdout.strip(), True) if done.returncode == 0 else (last[0], False)


def _require_mpi() -> None:
    mpi_version_text()


def dask_version() -> str:
    """Return the version of Dask's `distributed`; raise MissingRequirement if it is not installed."""
    if importlib.util.find_spec("distributed") is None:
        fix = command_here("install it: pip install 'daasbench[dask]'")
        raise MissingRequirement("Dask's distributed is not installed", fix)
    return importlib.metadata.version("distributed")


def _require_dask() -> None:
    dask_version()


def _require_cuda() -> None:
    if importlib.util.find_spec("cupy") is None:
        raise MissingRequirement("CuPy is not installed", command_here("install it: pip install 'daasbench[gpu]'"))
    import cupy

    if not cupy.cuda.is_available():
        raise MissingRequirement("CuPy finds no usable NVIDIA GPU on this machine", "check the driver: nvidia-smi")
