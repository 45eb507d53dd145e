"""The unit of each column of the tidy table; "" where a column has none (docs/reference/table.md)."""

from __future__ import annotations

UNITS = {
    "run": "", "case": "", "platform": "", "kernel": "", "implementation": "", "version": "", "size": "", "seed": "",
    "input": "", "options": "", "nodes": "count", "ranks": "count", "threads": "count", "gpus": "count",
    "process": "", "attempt": "", "outcome": "", "reason": "", "message": "", "verified_by": "",
    "error": "of the kernel", "tolerance": "of the kernel", "repeats": "count", "stop_reason": "",
    "median_s": "s", "low_s": "s", "high_s": "s", "first_call_s": "s", "make_s": "s", "put_s": "s", "get_s": "s",
    "unit": "", "units": "unit", "units_per_s": "unit/s", "limit_name": "", "limit_fraction": "1",
    "foreign_cpu": "1", "peak_memory_bytes": "B", "energy_j": "J", "energy_basis": "", "basis": "",
    "started_at": "UTC, ISO 8601", "host": "", "cpu": "", "gpu": "", "commit": "",
    "cost": "currency", "currency": "ISO 4217", "cost_per_unit": "currency/unit", "price_date": "ISO 8601",
    "price_basis": "",
}  # fmt: skip
