"""The templates that ``daasbench init`` writes: each works as it stands, and its comments say what to change.

``NAME`` is replaced by the name of the kernel, ``FILE`` by the path of the file.
"""

from __future__ import annotations

SCENARIO = """\
# A scenario: a question, and the cases that answer it.
# Check it first, then run it, then read the answer:
#   daasbench run FILE --dry-run
#   daasbench run FILE
#   daasbench report summary

# The question, in the words of the people who ask it. It becomes the title of the report.
question = "Which implementation of tomography is the fastest on this machine?"

# Where to measure: "here" is this machine. To list the others: daasbench list platforms
platforms = ["here"]

# What to measure. Repeat this table for each kernel.
[[cases]]
kernel = "tomography"                 # to list kernels: daasbench list kernels
implementations = ["numpy", "numba"]  # or "all"; to list them: daasbench show kernel tomography
sizes = ["tiny"]                      # of generated data: tiny, small, medium, large
# threads = [1, "max"]                # compare one thread with all cores
# input = "scan.h5"                   # measure a file of yours instead of generated data

# How often to measure.
[repeat]
processes = 5     # new processes per case; fewer than 3 give no interval
interval = 0.05   # a process stops when its median is known to 5 %
limit_s = 30      # but after 30 s at the latest
"""

PLATFORM = """\
# A platform: where and how cases run. The name of this file is the name of the platform.
# Check it first, then use it:
#   daasbench doctor --platform FILE
#   daasbench run quickstart --platform FILE

# In the words of your site.
description = "this machine"

# How jobs are started: "local" is this machine. To list the others: daasbench list runners
runner = "local"

# What a job costs. Without a price, reports show no cost. Remove the # and enter a price of your own: the amount in
# quotes, per node-hour, core-hour or gpu-hour, the date since when it is valid, and where it comes from.
# price = { amount = "1.85", currency = "EUR", per = "node-hour", date = 2026-11-01, source = "our offer 4711" }

# For a Slurm cluster, set runner = "slurm", remove the # below, and correct every value:
# nodes = 1
# cores_per_node = 64
# memory_gb = 256         # a job without memory_gb gets the default of the site, which may be too little
# gpus_per_node = 4
# [options]
# partition = "compute"
# account = "my_project"
# host = "me@login.site"  # only if sbatch is not on this machine: the login node
# folder = "/data/me/daasbench"  # with host: where runs are kept on the cluster
"""

KERNEL = '''\
"""A kernel of your own: what is measured, how a result is verified, and the inputs.

daasbench run FILE --quick     a quick look
daasbench run FILE             enough processes to compare implementations
"""

import functools

import numpy as np

from daasbench import kernel


def error(inputs, got):
    """Return how wrong a result is; 0 is correct. It is called after each repeat, outside of the measured time."""
    expected = inputs["frames"].sum(axis=(1, 2), dtype="i8")
    return int(abs(got["totals"] - expected).max())


# unit: what is counted (the speed is in frames per second). tolerance: the largest error of a correct result.
@kernel(unit="frame", oracle=error, tolerance=0)
def NAME(inputs):
    """Sum the photons of each frame."""
    return {"totals": np.array([frame.sum(dtype="i8") for frame in inputs["frames"]])}


# The inputs of each size: a dict of arrays. The first axis of the first array counts the units.
@NAME.inputs(tiny={"n": 16}, small={"n": 256})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 256, 256)).astype("u4")}


# Another implementation of the same kernel. requires: packages that it needs; without them it is skipped.
# threads=False: it uses one thread. A decorator @numba.njit needs arrays, so it is inside.
@NAME.implementation("numba", requires=["numba"], threads=False)
def with_numba(inputs):
    return {"totals": compiled()(inputs["frames"])}


@functools.cache
def compiled():
    import numba

    @numba.njit
    def totals(frames):
        sums = np.zeros(frames.shape[0], np.int64)
        for i in range(frames.shape[0]):
            for value in frames[i].flat:
                sums[i] += value
        return sums

    return totals


# Optional: read a file of yours, for daasbench run FILE --input scan.h5
# @NAME.reader
# def read(path):
#     import h5py
#
#     with h5py.File(path) as file:
#         return {"frames": file["entry/data/data"][:]}
'''
