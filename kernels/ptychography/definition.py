"""The algorithm for any array library: the difference map, followed by alternating projections.

Frame j measures the exit wave P O_j: the probe times the window of the object at its position. In iteration k::

    g_j = 2 P O_j - ψ_j          (difference map, the first `iterations`)
    g_j = P O_j                  (alternating projections, the last `finish`)
    R_k = Σ_j Σ_q | |F g_j| - √I_j | / Σ_j Σ_q √I_j
    χ_j = F⁻¹( √I_j F g_j / |F g_j| )
    ψ_j = ψ_j + χ_j - P O_j      (difference map)
    ψ_j = χ_j                    (alternating projections)
    O = (α O + Σ_j P* ψ_j) / (α + Σ_j |P|²), cut to |O| <= 1.5
    P = (β P + Σ_j O_j* ψ_j) / (β + Σ_j |O_j|²), from iteration 3, with the new O

F is the orthonormal transform. Where a detector pixel was not measured (I < 0), χ keeps F g. Where |F g| is below δ,
a hundredth of the mean frame's root mean square amplitude, it is divided by δ instead: the phase of such a faint
amplitude is determined by rounding, and no result must depend on it. α and β are 10⁻³ of the largest sum to which
they are added: they hold the values of pixels that hardly any light reaches. At the start O = 1 and ψ_j = P O_j.

The waves ψ_j are the state. In every iteration each wave is read, transformed forward and back, and written once, and
read once more for the probe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INERTIA = 1e-3  # of the largest sum of intensities
PROBE_FROM = 3  # the iteration, counted from 1, from which on the probe is updated
LARGEST = 1.5  # modulus of the object
FAINT = 0.01  # of the rms amplitude of a frame: below it, the phase of a spectrum is not defined

C64 = NDArray[np.complex64]
Corners = NDArray[np.int32]


class Reconstruction(NamedTuple):
    """The result: the object c64[rows, columns], the probe c64[n, n], and R f32[iterations]."""

    object: Any
    probe: Any
    r: Any


@dataclass(frozen=True, kw_only=True)
class Library:
    """The operations that differ between numpy, scipy and cupy.

    Attributes
    ----------
    xp
        The array library.
    fft2, ifft2
        Orthonormal transforms of c64[frames, n, n].
    add
        ``add(total, waves, corners)`` adds each wave to the window of `total` at its corner.
    batch
        Frames that are computed together; this bounds the memory in addition to the state.
    """

    xp: Any
    fft2: Callable[[Any], Any]
    ifft2: Callable[[Any], Any]
    add: Callable[[Any, Any, Corners], None]
    batch: int


def object_shape(corners: Corners, pixels: int) -> tuple[int, int]:
    """Return the numbers of rows and columns that the windows cover."""
    rows, columns = corners.max(axis=0) + pixels
    return int(rows), int(columns)


def faint_amplitude(probe: C64) -> float:
    """Return δ: the amplitude of a spectrum below which the weight of its phase decreases."""
    return float(FAINT * np.sqrt(np.sum(np.abs(probe).astype(np.float64) ** 2)) / probe.shape[0])


def reconstruct(
    library: Library, diffraction: Any, corners: Corners, probe: C64, iterations: int, finish: int
) -> Reconstruction:
    """Return object, probe and R of one scan.

    Parameters
    ----------
    library
        The library of the array `diffraction`.
    diffraction
        f32 or u16[frames, n, n], counts with the beam at pixel n / 2; negative where not measured.
    corners
        i32[frames, 2], on the host: first row and column of each frame's window of the object.
    probe
        c64[n, n], on the host: the first guess, with the power of the mean frame.
    iterations, finish
        Iterations of the difference map, and of the alternating projections.
    """
    xp, pixels = library.xp, probe.shape[0]
    batches = list(_batches(library, corners, pixels))
    amplitudes = [_amplitudes(xp, diffraction[frames]) for frames, _ in batches]
    total = sum(xp.maximum(one, 0).sum(dtype=xp.float64) for one in amplitudes)
    light = xp.asarray(probe)
    image = xp.ones(object_shape(corners, pixels), xp.complex64)
    waves = [xp.repeat(light[None], one.shape[0], axis=0) for one in amplitudes]
    faint, errors = faint_amplitude(probe), []
    for iteration in range(1, iterations + finish + 1):
        missed, alternating = 0.0, iteration > iterations  # nothing is copied from a device before the end
        for (_, windows), measured, states in zip(batches, amplitudes, waves, strict=True):
            missed += _project(library, measured, states, light * image[windows], faint, alternating)
        errors.append(missed / total)
        image = _object(library, waves, light, image, batches, corners)
        if iteration >= PROBE_FROM:
            light = _probe(library, waves, light, image, batches)
    return Reconstruction(object=image, probe=light, r=np.array([float(error) for error in errors], np.float32))


def _batches(library: Library, corners: Corners, pixels: int) -> Iterator[tuple[slice, tuple[Any, Any]]]:
    """Yield slices of frames, and the indices of their windows in the object."""
    grid = np.arange(pixels)
    for first in range(0, len(corners), library.batch):
        frames = slice(first, first + library.batch)
        rows, columns = (corners[frames, axis, None] + grid for axis in (0, 1))
        yield frames, (library.xp.asarray(rows[:, :, None]), library.xp.asarray(columns[:, None, :]))


def _amplitudes(xp: Any, counts: Any) -> Any:
    """Return f32: square roots of the counts in the order of the transform; -1 where not measured."""
    shifted = xp.fft.ifftshift(counts.astype(xp.float32), axes=(1, 2))
    return xp.where(shifted < 0, xp.float32(-1), xp.sqrt(xp.maximum(shifted, 0)))


def _project(library: Library, amplitudes: Any, waves: Any, exits: Any, faint: float, alternating: bool) -> Any:
    """Replace the waves of a batch by the next iteration's, from the exit waves P O; return Σ | |F g| - √I |."""
    xp = library.xp
    spectra = library.fft2(exits if alternating else 2 * exits - waves)
    modulus = xp.abs(spectra)
    measured = amplitudes >= 0
    missed = xp.where(measured, xp.abs(modulus - amplitudes), 0).sum(dtype=xp.float64)
    spectra *= xp.where(measured, amplitudes / xp.maximum(modulus, xp.float32(faint)), 1)
    if alternating:
        waves[...] = library.ifft2(spectra)
    else:
        waves += library.ifft2(spectra) - exits
    return missed


def _object(library: Library, waves: list[Any], light: Any, image: Any, batches: list[Any], corners: Corners) -> Any:
    """Return the object that best fits the waves, the probe and the last object."""
    xp = library.xp
    sums, weights = xp.zeros_like(image), xp.zeros(image.shape, xp.float32)
    intensity = xp.abs(light) ** 2
    for (frames, _), batch in zip(batches, waves, strict=True):
        library.add(sums, light.conj() * batch, corners[frames])
        library.add(weights, xp.broadcast_to(intensity, batch.shape), corners[frames])
    image = fitted(xp, sums, weights, image)
    return image * (LARGEST / xp.maximum(xp.abs(image), xp.float32(LARGEST)))


def _probe(library: Library, waves: list[Any], light: Any, image: Any, batches: list[Any]) -> Any:
    """Return the probe that best fits the waves, the object and the last probe."""
    xp = library.xp
    sums, weights = xp.zeros_like(light), xp.zeros(light.shape, xp.float32)
    for (_, windows), batch in zip(batches, waves, strict=True):
        seen = image[windows]
        sums += (seen.conj() * batch).sum(axis=0)
        weights += (xp.abs(seen) ** 2).sum(axis=0)
    return fitted(xp, sums, weights, light)


def fitted(xp: Any, sums: Any, weights: Any, last: Any) -> Any:
    """Return ``(α last + sums) / (α + weights)``."""
    inertia = xp.float32(INERTIA) * weights.max()
    return (inertia * last + sums) / (inertia + weights)
