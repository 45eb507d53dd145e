"""The folders of plug-ins, as subpackages of daasbench (docs/explanation/architecture.md#the-folders)."""

from setuptools import find_packages, setup

ROOMS = ("kernels", "scenarios", "runners", "reports")

packages = find_packages(include=["daasbench", "daasbench.*"])
for room in ROOMS:
    packages += [f"daasbench.{room}", *(f"daasbench.{room}.{name}" for name in find_packages(room))]

setup(
    packages=packages,
    package_dir={"daasbench": "daasbench"} | {f"daasbench.{room}": room for room in ROOMS},
    package_data={"": ["**/*.toml", "**/*.c", "**/*.csv", "**/*.j2", "**/*.css", "py.typed"]},
)
