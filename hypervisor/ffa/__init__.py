"""Firmware Framework for Arm A-profile (DEN0077): one file for each family of calls."""
