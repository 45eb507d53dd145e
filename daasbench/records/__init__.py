"""The results folder: runs, journals, locks, ledgers of records; written once, read tolerantly."""
