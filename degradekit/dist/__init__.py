"""Distributions: the only way a recipe states a range.

A recipe may write a number as any of

======================================================  ==========================================
``8``, ``25/255``, ``pi/3``                             always that value
``[1/255, 30/255]`` or ``{uniform: [lo, hi]}``          uniform on the closed interval
``{log_uniform: [100, 10000]}``                         uniform in the logarithm
``{power_uniform: [1/8, 1], exponent: -1}``             uniform in that power; -1: 1/x, 2: variances
``{integer: [7, 21], step: 2}``                         uniform on 7, 9, …, 21
``{choice: [7, 9, 11], p: [.5, .25, .25]}``             one of the values (equal chances without ``p``)
``{mixture: [[.5, 1], [1, 4]], p: [.5, .5]}``           one of several distributions
``{histogram: [0, 1, 2, 4], weights: [1, 2, 1]}``       a bin by its weight, then uniform inside it
======================================================  ==========================================

and a word as ``bicubic``, ``[area, bilinear, bicubic]`` (equal chances) or ``{area: .5, bicubic: .5}``.
Every mapping form takes ``over_time: hold | iid | {walk: step} | {keyframes: frames}`` for clips.
"""

from degradekit.dist.forms import Expression, Within, Words, evaluate, parse_dist, parse_pick
from degradekit.dist.numbers import (
    Choice,
    Const,
    Dist,
    Histogram,
    Integer,
    Keyframes,
    LogUniform,
    Mixture,
    OverTime,
    Pick,
    PowerUniform,
    Uniform,
    Walk,
)

__all__ = [
    "Choice",
    "Const",
    "Dist",
    "Expression",
    "Histogram",
    "Integer",
    "Keyframes",
    "LogUniform",
    "Mixture",
    "OverTime",
    "Pick",
    "PowerUniform",
    "Uniform",
    "Walk",
    "Within",
    "Words",
    "evaluate",
    "parse_dist",
    "parse_pick",
]
