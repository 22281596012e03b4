"""Operators that the networks share: torchvision's compiled kernels where they load, else pure torch of equal value."""
