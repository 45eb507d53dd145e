"""Formats of detectors: packed chunks, HDF5 and NeXus, stacks of images."""
