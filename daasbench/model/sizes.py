"""The sizes of a problem in their order: the four that every kernel may have, then those of its own by name."""

from __future__ import annotations

SIZES = ("tiny", "small", "medium", "large")


def size_order(size: str | None) -> tuple[int, str]:
    """Return what sorts sizes from the smallest to the largest; the names that nobody knows follow, by name."""
    return (SIZES.index(size) if size in SIZES else len(SIZES), size or "")
