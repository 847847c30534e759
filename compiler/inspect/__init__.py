"""Looks into finished images, whoever linked them: listings with source lines, sizes, worst-case stack."""
