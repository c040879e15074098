"""Stacks of networks: every weight has a leading network axis, and all numerics act on stacks."""
