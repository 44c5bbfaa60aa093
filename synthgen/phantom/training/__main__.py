"""``python -m synthgen.phantom.training``: trains a bundled model from nothing, or goes on where it was stopped."""

import argparse
import dataclasses
import logging
import os
from pathlib import Path

from synthgen.core import devices
from synthgen.phantom.training import autoencoder, data, denoiser, export, networks
from synthgen.phantom.training.loop import Machine
from synthgen.phantom.training.recipe import Recipe
from synthgen.phantom.training.wording import Wording

_log = logging.getLogger("synthgen.phantom.training")


def train(folder: Path, out: Path, recipe: Recipe, machine: Machine) -> None:
    """Train every stage that is not finished, and write the model to ``out``.

    What is made on the way lies in a folder of the recipe's own in ``folder``, so no stage takes up another recipe's.
    """
    folder = recipe.folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _log.info("phantoms")
    phantoms = data.load(folder, recipe)
    _log.info("classifier, %d steps", recipe.classifier_steps)
    classifier = autoencoder.train_classifier(folder, phantoms, recipe, machine)
    _log.info("autoencoder, %d steps", recipe.autoencoder_steps)
    vae = autoencoder.train(folder, phantoms, classifier, recipe, machine)
    _log.info("latents")
    latents = denoiser.Latents(folder, phantoms, vae, recipe, machine)
    tokenizer = networks.tokenizer(Wording().corpus())
    _log.info("text encoder, %d steps, and denoiser, %d steps", recipe.text_steps, recipe.denoiser_steps)
    text_encoder, unet = denoiser.train(folder, phantoms, latents, tokenizer=tokenizer, recipe=recipe, machine=machine)
    export.export(out, vae=vae, tokenizer=tokenizer, text_encoder=text_encoder, unet=unet)
    parameters = sum(value.numel() for part in (vae, text_encoder, unet) for value in part.parameters())
    export.describe(out, folder, recipe, machine, parameters)
    _log.info("wrote %s", out)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/weights"), help="checkpoints and logs")
    parser.add_argument("--out", type=Path, required=True, help="the folder that the model is written to")
    for field in dataclasses.fields(Recipe):
        if field.type is int:
            name = field.name.replace("_", "-")
            parser.add_argument(f"--{name}", type=int, default=field.default, metavar="N")
    arguments = vars(parser.parse_args())
    work, out = arguments.pop("work"), arguments.pop("out")
    os.environ.setdefault("OMP_WAIT_POLICY", "ACTIVE")  # many small steps: threads that slept would wake too late
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    device = devices.describe()
    train(work, out, Recipe(**arguments), Machine(device.kind, device.bf16))


if __name__ == "__main__":
    main()
