"""Kernels written once in the dialect and once in C, for the code quality comparison."""
