"""File formats of photon and neutron science: HDF5 and NeXus, stacks of images, and compressed chunks."""
