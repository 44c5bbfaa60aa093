"""How a bundled model of our own is trained: phantoms, autoencoder, text encoder, denoiser, each seeded and resumable.

``python -m synthgen.phantom.training`` (``make weights``) runs every stage and writes the model in diffusers' layout.
The recipe follows Rombach et al. 2022 (latent diffusion), Salimans & Ho 2022 (v-prediction) and Lin et al. 2024
(zero terminal SNR, trailing timesteps), at a size that two CPU cores can train in an afternoon.
"""
