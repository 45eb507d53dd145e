"""Figures that any report may use: plain numbers in, one inline SVG out; nothing here knows a record."""
