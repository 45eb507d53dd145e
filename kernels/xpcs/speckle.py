"""A sample with known dynamics: speckles of diffusing particles, counted photon by photon on a detector.

The field of a mode at a pixel is a complex Gaussian process: ``E(t + 1) = r E(t) + sqrt(1 - r^2) n(t)``,
so that g1 = exp(-t / tau). The intensity of `MODES` such modes has the contrast 1 / `MODES`, and
``g2 = 1 + exp(-2 t / tau) / MODES``; counting photons adds ``1 / mean`` at lag 0 and nothing elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .definition import F64, Schedule, level_averages
from .rings import I32, equal_rings, numbered, radius

MODES = 2
BRIGHTEST, SLOWEST = 6.0, 40.0  # photons per pixel and frame, and correlation time in frames, of the innermost ring
MOST = 65_534  # 2**16 - 1 means "no data"
BAND = 1 << 14  # pixels generated at a time


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The known properties of the pixels of each ring.

    Attributes
    ----------
    labels
        i32[rows, columns]: the ring of each pixel, from 1 on; 0 behind the beamstop, in a gap, outside, or dead.
    mean
        f64[q], photons per pixel and frame: decreases with q^-1.5.
    tau
        f64[q], correlation time of the field, frames: 1 / (D q^2) for diffusion.
    """

    labels: I32
    mean: F64
    tau: F64

    def g2(self, schedule: Schedule) -> F64:
        """Return g2 as the levels of a schedule measure it: f64[lags, q]."""
        longest = int(schedule.lags[-1]) + (1 << int(schedule.level[-1]))
        lags = np.arange(longest + 1)
        exact = 1 + np.exp(-2 * lags[:, None] / self.tau) / MODES
        exact[0] += 1 / self.mean
        return level_averages(exact, schedule)

    def deviation(self, schedule: Schedule) -> F64:
        """Return the approximate standard deviation of g2 of a series of these pixels: f64[lags, q].

        The relative variance of a row of m frames is at most that of the field (one independent value in about tau
        frames) plus that of its photons.
        """
        pixels = np.bincount(self.labels.ravel(), minlength=self.mean.size + 1)[1:]
        rows = (1 << schedule.level)[:, None]
        field, photons = 1 / MODES, 1 / (rows * self.mean)
        independent = 1 + self.tau / rows
        variance = 3 * (field**2 * independent + 2 * field * photons + photons**2)
        return np.sqrt(variance / (pixels * schedule.pairs[:, None]))


def random_sample(shape: tuple[int, int], rings: int) -> Sample:
    """Return rings around a beam at the left of the detector, with a beamstop, a gap between modules and dead pixels.

    The sample is the same for all seeds, because the detector is the same in all measurements.
    """
    rows, columns = shape
    distance = radius(shape, (0.45 * rows, 0.1 * columns))
    low, high = 0.12 * columns, 0.9 * columns
    dead = np.random.default_rng(0).random(shape) < 0.002
    dead[:, columns // 2 : columns // 2 + 1 + columns // 250] = True
    labels = equal_rings(distance, rings, low, high)
    middle = low + (high - low) / rings * (np.unique(labels[~dead & (labels > 0)]) - 0.5)
    relative = middle[0] / middle
    labels, _ = numbered(labels, dead)
    return Sample(labels=labels, mean=BRIGHTEST * relative**1.5, tau=np.maximum(SLOWEST * relative**2, 1.0))


def frames_of_sample(sample: Sample, frames: int, seed: Sequence[int]) -> NDArray[np.uint16]:
    """Return photon counts: u16[frames, rows, columns]; 0 at pixels without a ring."""
    labels = sample.labels.ravel()
    counts = np.zeros((frames, labels.size), np.uint16)
    bands = range(0, labels.size, BAND)
    seeds = np.random.SeedSequence(seed).spawn(len(bands))

    def make(first: int, seed: np.random.SeedSequence) -> None:
        _count(sample, labels[first : first + BAND], np.random.default_rng(seed), counts[:, first : first + BAND])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        list(threads.map(make, bands, seeds))
    return counts.reshape(frames, *sample.labels.shape)


def _count(sample: Sample, labels: I32, random: np.random.Generator, counts: NDArray[np.uint16]) -> None:
    """Write the photons of some pixels, u16[frames, pixels]."""
    held = np.flatnonzero(labels)
    ring = labels[held] - 1
    memory = np.exp(-1 / sample.tau)[ring].astype(np.float32)
    fresh = np.sqrt(1 - memory**2)
    brightness = sample.mean[ring] / (2 * MODES)
    field = random.standard_normal((2 * MODES, held.size), np.float32)  # real and imaginary parts, of unit variance
    for frame in counts:
        intensity = np.einsum("mp,mp->p", field, field)
        frame[held] = np.minimum(random.poisson(brightness * intensity), MOST)
        field *= memory
        field += fresh * random.standard_normal(field.shape, np.float32)
