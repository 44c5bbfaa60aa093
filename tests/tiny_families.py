"""Models of families that show what they do when they are loaded, with random weights, as small as they get.

``parts`` is always the module ``tiny_models``, whose text encoders and autoencoders some of them have too.
"""

import json
import warnings
from pathlib import Path
from typing import Any

_CHAT = (
    "{% for one in messages %}<|im_start|>{{ one['role'] }}\n{{ one['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def qwen_tokenizer() -> Any:
    """Qwen's tokenizer, which knows bytes alone, with a template for chats."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    words = [*_SPECIAL, *sorted(ByteLevel.alphabet())]
    found = Qwen2Tokenizer(vocab={word: place for place, word in enumerate(words)}, merges=[])
    found.add_special_tokens({"additional_special_tokens": _SPECIAL[1:]})
    found.chat_template = _CHAT
    return found


def qwen3(layers: int, kind: str) -> Any:
    """A tiny Qwen 3 that fits that tokenizer."""
    import transformers

    return getattr(transformers, kind)(
        transformers.Qwen3Config(
            vocab_size=259, hidden_size=8, intermediate_size=8, num_hidden_layers=layers, num_attention_heads=1,
            num_key_value_heads=1, head_dim=8, max_position_embeddings=1024,
            bos_token_id=0, eos_token_id=0, pad_token_id=0,
        )
    )  # fmt: skip


def gemma(layers: int) -> tuple[Any, Any]:
    """Gemma's tokenizer, which knows letters alone, and a tiny Gemma 2."""
    from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    encoder = Gemma2Model(
        Gemma2Config(
            vocab_size=64, hidden_size=8, intermediate_size=8, num_hidden_layers=layers, num_attention_heads=1,
            num_key_value_heads=1, head_dim=8, max_position_embeddings=4096,
        )
    )  # fmt: skip
    return GemmaTokenizer(vocab={word: place for place, word in enumerate(words)}, merges=[]), encoder


def flow_vae(parts: Any) -> Any:
    """A tiny autoencoder with as many channels as Flux's."""
    return parts.vae(16, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False, use_post_quant_conv=False)


def _flow() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler()


def pixart_sigma(folder: Path, parts: Any) -> None:
    """PixArt-Sigma: T5 with masks, and noise taken off on a schedule of betas."""
    from diffusers import DPMSolverMultistepScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel

    encoder, words = parts.t5()
    PixArtSigmaPipeline(
        tokenizer=words, text_encoder=encoder, vae=parts.vae(), scheduler=DPMSolverMultistepScheduler(),
        transformer=PixArtTransformer2DModel(
            num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=1,
            cross_attention_dim=16, sample_size=8, patch_size=2, caption_channels=32, use_additional_conditions=False,
        ),
    ).save_pretrained(folder)  # fmt: skip


def chroma(folder: Path, parts: Any) -> None:
    """Chroma: Flux without pooled embeddings, and with guidance by a second pass."""
    from diffusers import ChromaPipeline, ChromaTransformer2DModel

    encoder, words = parts.t5()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`FluxPosEmbed` is deprecated", FutureWarning)
        transformer = ChromaTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 4, 8), approximator_num_channels=8,
            approximator_hidden_dim=16, approximator_layers=1,
        )  # fmt: skip
    ChromaPipeline(
        tokenizer=words, text_encoder=encoder, vae=flow_vae(parts), transformer=transformer, scheduler=_flow()
    ).save_pretrained(folder)


def aura_flow(folder: Path, parts: Any) -> None:
    """AuraFlow: a multilingual T5, and a transformer that matches a flow."""
    from diffusers import AuraFlowPipeline, AuraFlowTransformer2DModel
    from transformers import UMT5Config, UMT5EncoderModel

    _, words = parts.t5()
    encoder = UMT5EncoderModel(
        UMT5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    )
    AuraFlowPipeline(
        tokenizer=words, text_encoder=encoder, vae=parts.vae(), scheduler=_flow(),
        transformer=AuraFlowTransformer2DModel(
            sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_mmdit_layers=1, num_single_dit_layers=1,
            attention_head_dim=8, num_attention_heads=2, joint_attention_dim=32, caption_projection_dim=16,
            pos_embed_max_size=64,
        ),
    ).save_pretrained(folder)  # fmt: skip


def sana(folder: Path, parts: Any) -> None:
    """Sana: Gemma, an autoencoder without a distribution, linear attention."""
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel

    words, encoder = gemma(layers=1)
    blocks, widths = ("ResBlock", "EfficientViTBlock"), (8, 8)
    SanaPipeline(
        tokenizer=words, text_encoder=encoder,
        vae=AutoencoderDC(
            latent_channels=4, attention_head_dim=2, encoder_block_types=blocks, decoder_block_types=blocks,
            encoder_block_out_channels=widths, decoder_block_out_channels=widths,
            encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)), encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1), downsample_block_type="conv", upsample_block_type="interpolate",
            scaling_factor=0.4,
        ),
        transformer=SanaTransformer2DModel(
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=4, num_layers=1,
            num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8, caption_channels=8,
            sample_size=32, patch_size=1,
        ),
        scheduler=DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    ).save_pretrained(folder)  # fmt: skip


def flux_2_klein(folder: Path, parts: Any, *, is_distilled: bool = False) -> None:
    """FLUX.2 klein: layers of a Qwen 3 as embeddings, and latents that its autoencoder normalizes."""
    from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel

    Flux2KleinPipeline(
        tokenizer=qwen_tokenizer(), text_encoder=qwen3(27, "Qwen3ForCausalLM"), scheduler=_flow(),
        is_distilled=is_distilled,
        vae=AutoencoderKLFlux2(
            block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64
        ),
        transformer=Flux2Transformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=24, timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
    ).save_pretrained(folder)  # fmt: skip


def flux_2_klein_distilled(folder: Path, parts: Any) -> None:
    """FLUX.2 klein, distilled: it reads no guidance."""
    flux_2_klein(folder, parts, is_distilled=True)


def qwen_image(folder: Path, parts: Any) -> None:
    """Qwen-Image: embeddings as long as the longest prompt of a batch, and an autoencoder for videos."""
    from diffusers import AutoencoderKLQwenImage, QwenImagePipeline, QwenImageTransformer2DModel
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    tokens = dict.fromkeys(("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"), 0)
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 1, "vocab_size": 259, "max_position_embeddings": 2048,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
            "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
            "fullatt_block_indexes": [0],
        },
        **tokens,
    )  # fmt: skip
    QwenImagePipeline(
        tokenizer=qwen_tokenizer(), text_encoder=Qwen2_5_VLForConditionalGeneration(config), scheduler=_flow(),
        vae=AutoencoderKLQwenImage(
            base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4, latents_std=[1.0] * 4
        ),
        transformer=QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=16, axes_dims_rope=(4, 4, 8),
        ),
    ).save_pretrained(folder)  # fmt: skip


def z_image(folder: Path, parts: Any) -> None:
    """Z-Image: a list of embeddings, each as long as its prompt."""
    from diffusers import ZImagePipeline, ZImageTransformer2DModel

    ZImagePipeline(
        tokenizer=qwen_tokenizer(), text_encoder=qwen3(2, "Qwen3Model"), vae=flow_vae(parts), scheduler=_flow(),
        transformer=ZImageTransformer2DModel(
            in_channels=16, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=8,
            axes_dims=[4, 4, 8], axes_lens=[1024, 64, 64],
        ),
    ).save_pretrained(folder)  # fmt: skip


def latent_consistency(folder: Path, parts: Any) -> None:
    """A latent consistency model: its UNet reads guidance as a number."""
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    LatentConsistencyModelPipeline(
        vae=parts.vae(), text_encoder=parts.text_encoder(16), tokenizer=parts.tokenizer(), scheduler=LCMScheduler(),
        unet=parts.unet(16, time_cond_proj_dim=8), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip


def lumina_2(folder: Path, parts: Any) -> None:
    """Lumina 2: Gemma and one stream of text and image."""
    from diffusers import Lumina2Pipeline, Lumina2Transformer2DModel

    words, encoder = gemma(layers=2)
    Lumina2Pipeline(
        tokenizer=words, text_encoder=encoder, vae=flow_vae(parts), scheduler=_flow(),
        transformer=Lumina2Transformer2DModel(
            sample_size=8, patch_size=2, in_channels=16, hidden_size=24, num_layers=1, num_refiner_layers=1,
            num_attention_heads=1, num_kv_heads=1, multiple_of=16, ffn_dim_multiplier=1.0, scaling_factor=1.0,
            axes_dim_rope=(8, 8, 8), axes_lens=(300, 512, 512), cap_feat_dim=8,
        ),
    ).save_pretrained(folder)  # fmt: skip


def cogview_4(folder: Path, parts: Any) -> None:
    """CogView 4: GLM, and sizes of image and crop as inputs."""
    from diffusers import CogView4Pipeline, CogView4Transformer2DModel
    from transformers import GlmConfig, GlmModel

    encoder = GlmModel(
        GlmConfig(
            hidden_size=32, intermediate_size=8, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
            head_dim=8, vocab_size=259, pad_token_id=0,
        )
    )  # fmt: skip
    CogView4Pipeline(
        tokenizer=qwen_tokenizer(), text_encoder=encoder, vae=flow_vae(parts), scheduler=_flow(),
        transformer=CogView4Transformer2DModel(
            patch_size=2, in_channels=16, num_layers=1, attention_head_dim=4, num_attention_heads=4, out_channels=16,
            text_embed_dim=32, time_embed_dim=8, condition_dim=4,
        ),
    ).save_pretrained(folder)  # fmt: skip


def flux_kontext(folder: Path, parts: Any) -> None:
    """FLUX.1 Kontext: the parts of FLUX.1 under another class, which paints images of a size of its own choosing."""
    parts.flux(folder)
    index = json.loads((folder / "model_index.json").read_text()) | {"_class_name": "FluxKontextPipeline"}
    (folder / "model_index.json").write_text(json.dumps(index))


def stable_diffusion_3_5(folder: Path, parts: Any) -> None:
    """Stable Diffusion 3.5: normalized queries and keys, and layers of two attentions."""
    parts.stable_diffusion_3(folder, qk_norm="rms_norm", dual_attention_layers=(0,))


FAMILIES = {
    "sd3.5": stable_diffusion_3_5,
    "pixart-sigma": pixart_sigma,
    "chroma": chroma,
    "auraflow": aura_flow,
    "sana": sana,
    "flux2-klein": flux_2_klein,
    "flux2-klein-distilled": flux_2_klein_distilled,
    "qwen-image": qwen_image,
    "z-image": z_image,
    "lcm": latent_consistency,
    "lumina2": lumina_2,
    "cogview4": cogview_4,
    "flux-kontext": flux_kontext,
}
