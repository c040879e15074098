"""Representations of layers, and the parts that all similarities are made from."""
