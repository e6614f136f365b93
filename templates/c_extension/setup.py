"""Builds the extension module: the only things it needs of bocpy are where its headers (and sources) are."""

import bocpy
from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "bocpy_counter",
            sources=["counter.c", *bocpy.get_sources()],
            include_dirs=[bocpy.get_include()],
            extra_compile_args=["-std=c11", "-Wall", "-Wextra"],
        )
    ],
    py_modules=[],
)
