"""The bundled model: a small latent diffusion model of skin conditions, in the standard layout of diffusers."""
