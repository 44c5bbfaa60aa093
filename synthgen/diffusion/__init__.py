"""Diffusion pipelines, and the strategies that make images with them."""
