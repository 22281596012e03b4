"""The pixel maths of ops in torch, for any device with float64: what ``Draw.apply_torch`` calls.

The numpy form is the definition. Here is the same arithmetic on tensors ``[T, C, H, W]``: the same Philox words, fused
multiply-adds through float64, whole numbers where the definition has whole numbers, the same approximated kernels. No
pixel leaves its device, and nothing waits for one: the only transfers are drawn numbers, and go one way.

Functions take the samples of a group together where that saves calls (noise, JPEG), but nothing of one sample depends
on the others, not even a rounding.
"""
