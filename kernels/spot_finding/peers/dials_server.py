"""Find spots in frames in shared memory; runs in the Python for which DIALS is installed, without daasbench.

It reads commands from standard input and writes answers to standard output, both pickled and each after its length.
It ends when its input ends. It does not time anything. DIALS is imported at run time, because it is not installed in
the environment of daasbench.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import sys
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np

LENGTH = struct.Struct("<q")


class Finder:
    """DIALS' dispersion threshold and labels, of frames in the shared memory `descriptor`."""

    def __init__(self, descriptor: int, settings: Any) -> None:
        flumpy: Any = import_module("dxtbx.flumpy")
        threshold: Any = import_module("dials.algorithms.image.threshold")
        self._data: Any = import_module("dials.model.data")
        slots, (frames, ny, nx), reach = settings["slots"], settings["shape"], settings["reach"]
        nsig_b, nsig_s, least, min_count = settings["limits"]
        self._sizes = settings["sizes"]
        memory = mmap.mmap(descriptor, 0)
        pixels = frames * ny * nx
        whole = np.frombuffer(memory, np.float64, slots * pixels).reshape(slots, frames, ny, nx)
        masks = np.frombuffer(memory, bool, pixels, whole.nbytes).reshape(frames, ny, nx)
        good = np.frombuffer(memory, bool, ny * nx, whole.nbytes + pixels).reshape(ny, nx)
        # flex arrays over the same memory: nothing is copied
        self._frames = [[flumpy.from_numpy(frame) for frame in block] for block in whole]
        self._masks = [flumpy.from_numpy(mask) for mask in masks]
        # good pixels of each frame, as from the trusted range of a format; those of the last slot when it is filled
        self._good = [[flumpy.from_numpy(good & (frame >= 0)) for frame in block] for block in whole[:-1]]
        self._late = (whole[-1], good, flumpy)
        self._to_numpy = flumpy.to_numpy
        self._find = threshold.DispersionThreshold((ny, nx), (reach, reach), nsig_b, nsig_s, least, min_count)
        self._columns = nx

    def __call__(self, slot: int) -> dict[str, tuple[str, bytes]]:
        """Return the list of spots of a block, and write its mask to the shared memory."""
        if slot < len(self._good):
            good = self._good[slot]
        else:
            frames, mask, flumpy = self._late
            good = [flumpy.from_numpy(mask & (frame >= 0)) for frame in frames]
        listed: list[list[Any]] = [[] for _ in range(4)]
        spots = []
        for frame, valid, strong in zip(self._frames[slot], good, self._masks):  # noqa: B905  (as old as Python 3.8)
            self._find(frame, valid, strong)
            found = self._spots(frame, strong)
            spots.append(len(found[0]))
            for column, part in zip(listed, found):  # noqa: B905
                column.append(part)
        columns = [np.concatenate(column) for column in listed]
        kinds = {"y": "f8", "x": "f8", "intensity": "i8", "pixels": "i4"}
        answer = {name: (kind, column.astype(kind).tobytes()) for (name, kind), column in zip(kinds.items(), columns)}  # noqa: B905
        return {"spots": ("i4", np.array(spots, "i4").tobytes()), **answer}

    def _spots(self, frame: Any, strong: Any) -> list[Any]:
        """Return centroids y and x, intensity and pixels of the spots of one frame, by DIALS' labels."""
        pixels = self._data.PixelList(0, frame, strong)
        labeller = self._data.PixelListLabeller()
        labeller.add(pixels)
        labels = self._to_numpy(labeller.labels_2d())
        if not labels.size:
            return [np.zeros(0)] * 4
        rows, columns = np.divmod(self._to_numpy(pixels.index()), self._columns)
        values = self._to_numpy(pixels.value())
        size = np.bincount(labels)
        total, down, across = (np.bincount(labels, values * weight) for weight in (1, rows, columns))
        kept = (size >= self._sizes[0]) & (size <= self._sizes[1])
        return [part[kept] for part in (down / total, across / total, total, size)]


def receive(pipe: BinaryIO) -> Any:
    """Return the next message; None at the end of the input."""
    head = pipe.read(LENGTH.size)
    return pickle.loads(pipe.read(*LENGTH.unpack(head))) if len(head) == LENGTH.size else None


def send(pipe: BinaryIO, message: Any) -> None:
    """Write a message."""
    content = pickle.dumps(message, protocol=4)
    pipe.write(LENGTH.pack(len(content)) + content)
    pipe.flush()


def main(descriptor: int) -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the output of a library must not mix with the answers
    commands = sys.stdin.buffer
    find = Finder(descriptor, receive(commands))
    send(answers, "ready")
    while (slot := receive(commands)) is not None:
        send(answers, find(slot))


if __name__ == "__main__":
    main(int(sys.argv[1]))
