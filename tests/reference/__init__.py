"""Slow, literal definitions that the tests hold the product to."""
