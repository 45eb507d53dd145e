"""Halo stencil: a field on a lattice advances in time; blocks over ranks exchange their faces in every step.

Read `with_numpy.py` first: it is the algorithm. Then read `waves.py` (fields whose later states are known exactly),
`problem.py` and `oracle.py`; `with_numba.py` and `with_mpi.py` compute their steps by `box.py` and `with_llvm.py`.
`peers/` holds adapters for the packages that the kernel is compared with.
"""

from daasbench.authoring import Card, FolderKernel, Reference, edge, implementation

from .options import HaloStencilOptions

kernel = FolderKernel(
    name="halo_stencil",
    folder=__name__,
    card=Card(
        title="Seven-point stencil in time on a lattice in blocks over ranks",
        unit="lattice update",
        verb="computes",
        stands_for="finite-difference codes: wave propagation (SOFI3D, Devito), paraxial beams, heat load of optics",
        community="simulation for beamlines: propagation through thick optics, heat in mirrors and samples",
        method=(
            "u(r) ← (1 - 6 d) u(r) + d Σ of the six neighbours, periodic: explicit diffusion, d = κ Δt / Δx² = 1/8; "
            "`steps` per repeat. A wave exp(2πi k·r / N) decays by 1 - 2 d Σ (1 - cos(2π k / N)) per step. 8 flop and "
            "16 bytes per update: a cell is read once and written once with non-temporal stores (24 bytes with "
            "ordinary stores); if planes fit into the cache, numba makes two steps in one pass over memory and may "
            "exceed this limit. A second-order wave equation reads one field more"
        ),
        leaves_out="boundaries that are not periodic, higher orders, coefficients that vary in space",
        tolerance=(
            "1e-12 of the mean at every cell, from the known decay of each eigenmode (rounding gives 1e-15 in ten "
            "steps), and the sum, which is conserved, within the same; all implementations give the same bits, on any "
            "number of ranks"
        ),
        real_work="a propagation through a thick lens at 1024³ is 1000 steps: 10¹² lattice updates",
        literature=(
            Reference(
                text="Datta et al., SC'08: stencils and the limit that memory sets them",
                doi="10.1109/SC.2008.5222004",
            ),
            Reference(
                text="Williams, Waterman, Patterson, Commun. ACM 52, 65 (2009): the roofline",
                doi="10.1145/1498765.1498785",
            ),
        ),
    ),
    sizes={
        "tiny": {"size": 19, "steps": 5},
        "small": {"size": 128, "steps": 10},
        "medium": {"size": 256, "steps": 10},
        "large": {"size": 768, "steps": 10},
    },
    options=HaloStencilOptions,
    reads_files=False,
    grows=edge("size", 3),
    repeat_tolerance=1e-12,
    implementations=[
        implementation("numpy", threads=False, memory_factor=2.0),
        implementation("numba", overwrites_result=True, memory_factor=1.5),
        implementation("cupy", overwrites_result=True, backend="cuda", memory_factor=1.5),
        implementation("mpi", backend="mpi", memory_factor=1.5),
        implementation(
            "scipy",
            peer=True,
            threads=False,
            requires=("scipy",),
            packages=("scipy",),
            memory_factor=2.0,
            adds="nothing: it computes any seven weights, and does not use that six are equal; one thread",
        ),
    ],
)
