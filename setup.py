"""Installs sa3dhp. `pip install -e .` to use it, `pip install -e '.[test]'` to test."""

import pathlib

import setuptools

ROOT = pathlib.Path(__file__).parent

setuptools.setup(
    name="sa3dhp",
    version="0.1.0",
    description="Self-adaptive 3D human pose estimation: adapts itself to your videos.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=setuptools.find_packages(include=["sa3dhp", "sa3dhp.*"]),
    package_data={"sa3dhp.evaluation": ["cards/*.yaml"]},
    python_requires=">=3.9,<3.12",
    install_requires=[
        "absl-py",
        "h5py",
        "matplotlib",
        "numpy<2",
        "opencv-python<4.12",  # from 4.12 on it asks for numpy 2
        "PyYAML",
        "scipy",
        "tensorflow==2.15.1",
        "tensorflow-addons==0.23.0",
    ],
    extras_require={
        # The newest that goes with protobuf 4 and numpy 1 of TensorFlow 2.15.
        "beam": ["apache-beam==2.60.0"],
        "h36m": ["cdflib"],  # Human3.6M's original files
        "test": ["hypothesis", "pytest>=7", "ruff==0.17.5"],
    },
)
