"""Packages, data files and compiled kernels for `pip install .` without ROS 2; everything else is in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

# Data folders at the root of the repository become face_expr_ros/share/<folder>, which core/resources.py searches last.
# Not face_expr_ros/<folder>: face_expr_ros.msg is the Python package of the messages, which only a ROS build makes.
DATA = {f"face_expr_ros.share.{name}": name for name in ("bfm", "config", "msg", "weights") if Path(name).is_dir()}
DATA_FILES = [
    "*.npz", "*.csv", "*.png", "*.yaml", "*.xml", "*.rviz", "*.json", "*.msg", "*/*.yaml", "*/*.urdf",
    "tddfa_*.onnx", "*.tflite", "*/*.tflite", "*/*.npz", "*/NOTICE",
    "*/*.csv", "*/*.jpg", "*/*/*.webp",
]  # fmt: skip
KERNELS = [
    Extension(
        ".".join(source.with_suffix("").parts),
        [str(source)],
        extra_compile_args=["-O3", "-g0"],
        extra_link_args=["-Wl,--strip-all"],
    )
    for source in sorted(Path("face_expr_ros/kernels").glob("_*.pyx"))
]

setup(
    packages=[*find_packages(include=["face_expr_ros", "face_expr_ros.*"]), *DATA],
    package_dir=DATA,
    include_package_data=False,
    package_data=dict.fromkeys(DATA, DATA_FILES)
    | {
        "face_expr_ros.evaluation.expression": ["*.csv"],
        "face_expr_ros.web": ["static/*", "static/assets/*", "static/avatars/*"],
    },
    ext_modules=cythonize(KERNELS, language_level=3),
)
