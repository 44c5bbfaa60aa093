"""The phantom: drawn skin whose label, tone and lesion are known exactly; and the diffusion model that learned it.

``render.render`` draws the images, ``folder.write`` puts them in an image folder; ``weights/`` is the bundled model.
This module imports nothing, so that asking where the weights lie costs nothing.

The phantom is not medical truth: its conditions are caricatures of a few textbook cues, for testing software.
"""
