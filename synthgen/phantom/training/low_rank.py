"""A LoRA that is trained by adding it to the weights of a network's layers.

Not peft's layers, which run a path of their own beside each layer: with many small layers on a CPU that takes longer
than the sum. What is trained has the names that diffusers and peft read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class LowRank:
    """A LoRA of every linear and convolutional layer of a UNet.

    Args:
        unet: The network whose layers it is for; its weights stay as they are.
        rank: Of every layer's two matrices.
        device: Where they lie.

    Attributes:
        networks: The two matrices of every layer, ``down`` and ``up``, as modules that an optimizer can train.
    """

    def __init__(self, unet: Module, rank: int, device: str) -> None:
        import torch

        self.networks: dict[str, Module] = {"down": torch.nn.Module(), "up": torch.nn.Module()}
        self._base: dict[str, Tensor] = {}
        for name, layer in unet.named_modules():
            if not isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
                continue
            width, *fan_in = layer.weight.shape
            down = torch.empty(rank, *fan_in)
            torch.nn.init.kaiming_uniform_(down.flatten(1), a=5**0.5)
            kept = name.replace(".", "/")
            self.networks["down"].register_parameter(kept, torch.nn.Parameter(down.to(device)))
            self.networks["up"].register_parameter(kept, torch.nn.Parameter(torch.zeros(width, rank, device=device)))
            self._base[name] = layer.weight.detach()

    def weights(self, values: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The weights of the UNet's layers with the LoRA added, by parameter.

        Args:
            values: The LoRA's matrices by network and name, an average of them for instance; its own where left out.
        """
        own = self.values() if values is None else values
        return {
            f"{name}.weight": base + (own[f"up.{kept}"] @ own[f"down.{kept}"].flatten(1)).view_as(base)
            for name, base in self._base.items()
            for kept in [name.replace(".", "/")]
        }

    def layers(self) -> dict[str, Tensor]:
        """The LoRA in half precision under the names that diffusers reads and writes."""
        import torch

        found, own = {}, self.values()
        for name, base in self._base.items():
            kept = name.replace(".", "/")
            down, up = own[f"down.{kept}"].detach(), own[f"up.{kept}"].detach()
            found[f"{name}.lora_A.weight"] = down.to(torch.float16)
            found[f"{name}.lora_B.weight"] = up.view(*up.shape, *[1] * (base.ndim - 2)).to(torch.float16)
        return found

    def values(self) -> dict[str, Tensor]:
        """The LoRA's matrices by network and name."""
        return {
            f"{network}.{key}": value
            for network, module in self.networks.items()
            for key, value in module.named_parameters()
        }
