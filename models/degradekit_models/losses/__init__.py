"""Training losses of the field: pixel, adversarial, perceptual, regularisers, and GFPGAN's terms for faces."""
