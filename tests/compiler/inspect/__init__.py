"""Tests of compiler.inspect."""
