"""Builds the extension module: the only things it needs of bocpy are where its headers (and sources) are."""

import bocpy
from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

setup(
    ext_modules=[
        Pybind11Extension(
            "bocpy_histogram",
            sources=["histogram.cpp", *bocpy.get_sources()],
            include_dirs=[bocpy.get_include()],
            cxx_std=17,
        )
    ],
    py_modules=[],
)
