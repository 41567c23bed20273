"""Installs sa3dhp. `pip install -e .` to use it, `pip install -e '.[test]'` to test."""

import pathlib

import setuptools

ROOT = pathlib.Path(__file__).parent
# Folders beside the package that an installation carries: `sa3dhp.files.shipped` finds
# them there, and here.
SHIPPED = {
    "configs": ["*.yaml"],
    "configs/rules": ["*.yaml"],
    "checkpoints": ["*.md"],
    "checkpoints/multi_person": ["*.json", "*.npz"],
    "checkpoints/people": ["*.json", "*.npz"],
    "checkpoints/procedural": ["*.json", "*.npz"],
    "tools": [],
}
PACKED = {f"sa3dhp.shipped.{path.replace('/', '.')}": path for path in SHIPPED}
TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("*.py"))

setuptools.setup(
    name="sa3dhp",
    version="0.2.0",
    description="Self-adaptive 3D human pose estimation: adapts itself to your videos.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*setuptools.find_packages(include=["sa3dhp", "sa3dhp.*"]), *PACKED],
    package_dir=PACKED,
    package_data={
        "sa3dhp.evaluation": ["cards/*.yaml"],
        "sa3dhp.visualisation": ["*.js"],
        **{name: SHIPPED[path] for name, path in PACKED.items()},
    },
    # `sa3dhp-prepare-data` and so on: each runs the tool that it is named after.
    entry_points={
        "console_scripts": [
            f"sa3dhp-{name.replace('_', '-')} = sa3dhp.cli:start" for name in TOOLS
        ]
    },
    python_requires=">=3.9,<3.12",
    install_requires=[
        "absl-py",
        "h5py",
        "imageio-ffmpeg<0.7",  # its ffmpeg writes overlay.mp4; later ones weigh twice
        "matplotlib",
        "numpy<2",
        "opencv-python<4.12",  # from 4.12 on it asks for numpy 2
        "plotly",  # its JavaScript goes into report.html
        "PyYAML",
        "scipy",
        "tensorflow==2.15.1",
        "tensorflow-addons==0.23.0",
    ],
    extras_require={
        # The newest that goes with protobuf 4 and numpy 1 of TensorFlow 2.15.
        "beam": ["apache-beam==2.60.0"],
        "figures": ["scikit-learn"],  # t-SNE
        "h36m": ["cdflib"],  # Human3.6M's original files
        # Later onnx asks for an ml_dtypes that TensorFlow 2.15 does not go with.
        "onnx": ["tf2onnx>=1.17", "onnx<1.19", "onnxruntime"],
        # The detector of people. `pip install --no-deps mediapipe==0.10.14` is enough:
        # its file alone is read. The second as the first brings it, without numpy 2.
        "people": ["mediapipe==0.10.14", "opencv-contrib-python<4.12"],
        "render": ["moderngl>=5.8"],  # rendered people; OpenGL by EGL beside it
        "test": [
            "hypothesis",
            "mypy==2.4.1",
            "bvhio",  # a reader of BVH that we did not write
            "tf2onnx>=1.17",  # and the next two, of the extra [onnx]
            "onnx<1.19",
            "onnxruntime",
            "ipykernel",  # tools/tour.ipynb runs
            "nbclient",
            "pytest>=7",
            "pytest-xdist >= 3.7",  # two tests at a time
            "ruff==0.17.5",
            "scikit-learn",  # of the extra [figures]
            "types-PyYAML==6.0.12.20261122",
            "wheel",  # setuptools before 70 needs it; a test looks into the wheel
        ],
    },
)
