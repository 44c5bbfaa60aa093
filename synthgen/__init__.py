"""Labelled synthetic image datasets by latent diffusion, as a pure function of one manifest."""

__version__ = "0.2.0"
