"""File formats of the field: which dataset of a file is meant, and stacks of images."""
