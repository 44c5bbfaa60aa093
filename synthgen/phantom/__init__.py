"""Phantoms: drawn images of skin whose label, tone and lesion are known exactly; and the model trained on them.

``render.render`` draws the images, ``write_folder.write`` puts them in an image folder, ``weights/`` is that model.
This module imports nothing, so that asking where the weights lie costs nothing.

The phantom is not medical truth: its conditions are caricatures of a few textbook cues, for testing software.
"""
