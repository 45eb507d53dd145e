"""The sizes of a problem in their order: the four that every kernel may have, then its own sizes by name."""

from __future__ import annotations

SIZES = ("tiny", "small", "medium", "large")


def size_order(size: str | None) -> tuple[int, str]:
    """Return the sort key of a size, from the smallest to the largest; other names follow, by name."""
    return (SIZES.index(size) if size in SIZES else len(SIZES), size or "")
