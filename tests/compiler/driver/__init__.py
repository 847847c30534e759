"""Tests of compiler.driver."""
