"""Tiny random models of the kinds that a hub holds, as folders: made from their config classes."""

from pathlib import Path

import torch
import transformers as hf

hf.logging.set_verbosity_error()
hf.logging.disable_progress_bar()

WORDS = """
a the on with near and red green blue small large old new wooden happy grey
cow bear kite ball room wave dog cat tree house car boat
""".split()  # noqa: SIM905
SIDE = 32  # pixels
VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}
SQUARE = {"height": SIDE, "width": SIDE}
LETTERS = [chr(number) for number in range(33, 127)]
CHAT = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}:{% endif %}"
)


def _whole_words() -> hf.PreTrainedTokenizerBase:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    return hf.BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)})


def _letters(*more: str) -> hf.PreTrainedTokenizerBase:
    vocabulary = ["<|endoftext|>", *LETTERS, "\u0120"]
    made = hf.GPT2Tokenizer(
        vocab={letter: number for number, letter in enumerate(vocabulary)}, merges=[]
    )
    made.add_tokens([hf.AddedToken(token, special=True) for token in more])
    made.pad_token = "<|endoftext|>"
    return made


def _language(words: hf.PreTrainedTokenizerBase, **more) -> dict:
    return {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        **more,
    }


def _save(model: hf.PreTrainedModel, folder: Path, *others) -> Path:
    with torch.no_grad():  # so that untrained weights say something else of each picture
        for name, weights in model.named_parameters():
            if weights.ndim > 1 and "norm" not in name.lower():
                weights *= 8
    for part in (model, *others):
        part.save_pretrained(folder)
    return folder


def blip(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    words = _whole_words()
    text = {
        **_language(words),
        "encoder_hidden_size": 32,
        "bos_token_id": 2,
        "sep_token_id": 3,
        "eos_token_id": 3,
    }
    config = hf.BlipConfig(
        text_config=text, vision_config=VISION, projection_dim=16, image_text_hidden_size=16
    )
    processor = hf.BlipProcessor(hf.BlipImageProcessor(size=SQUARE), words)
    return _save(hf.BlipForConditionalGeneration(config), folder, processor)


def git(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    words = _whole_words()
    config = hf.GitConfig(
        vision_config=VISION, **{**_language(words), "bos_token_id": 2, "eos_token_id": 3}
    )
    pictures = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE)
    return _save(hf.GitForCausalLM(config), folder, hf.GitProcessor(pictures, words))


def vit_gpt2(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    words = _letters()
    decoder = hf.GPT2Config(
        vocab_size=len(words),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        add_cross_attention=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        decoder_start_token_id=0,
    )
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        hf.ViTConfig(**VISION), decoder
    )
    config.decoder_start_token_id = config.pad_token_id = config.eos_token_id = 0
    pictures = hf.ViTImageProcessor(size=SQUARE)
    return _save(hf.VisionEncoderDecoderModel(config), folder, pictures, words)


def blip2(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    words = _letters("<image>")
    text = hf.OPTConfig(**_language(words), ffn_dim=32, word_embed_proj_dim=32)
    former = {**_language(words), "encoder_hidden_size": 32}
    config = hf.Blip2Config(
        vision_config=VISION,
        qformer_config=former,
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=len(words) - 1,
    )
    processor = hf.Blip2Processor(hf.BlipImageProcessor(size=SQUARE), words, num_query_tokens=4)
    return _save(hf.Blip2ForConditionalGeneration(config), folder, processor)


def florence(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *LETTERS, "\u0120", "<image>"]
    words = hf.RobertaTokenizer(
        vocab={letter: number for number, letter in enumerate(vocabulary)},
        merges=[],
        extra_special_tokens={"image_token": "<image>"},
    )
    words.image_token_id = len(vocabulary) - 1
    ends = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = hf.Florence2Config(
        vision_config={
            "embed_dim": [8, 16],
            "depths": [1, 1],
            "patch_size": [7, 3],
            "patch_stride": [4, 2],
            "patch_padding": [3, 1],
            "patch_prenorm": [False, True],
            "num_heads": [1, 2],
            "num_groups": [1, 2],
            "window_size": 4,
            "projection_dim": 32,
            "max_position_embeddings": 10,
            "max_temporal_embeddings": 2,
        },
        text_config={
            "model_type": "bart",
            "vocab_size": len(words),
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "max_position_embeddings": 128,
            "decoder_start_token_id": 2,
            **ends,
        },
        image_token_id=len(words) - 1,
        **ends,
    )
    processor = hf.Florence2Processor(
        hf.CLIPImageProcessor(size=SQUARE, do_center_crop=False, image_seq_length=17),
        words,
        num_additional_image_tokens=1,
        post_processor_config={},
    )
    return _save(hf.Florence2ForConditionalGeneration(config), folder, processor)


def llava(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    words = _letters("<image>")
    config = hf.LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "projection_dim": 32, **VISION},
        text_config={"model_type": "llama", **_language(words)},
        image_token_index=len(words) - 1,
    )
    processor = hf.LlavaProcessor(
        hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT.replace("IMAGE", "<image>"),
    )
    return _save(hf.LlavaForConditionalGeneration(config), folder, processor)


def qwen(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    tokens = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    words = _letters(*tokens)
    config = hf.Qwen2VLConfig(
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "patch_size": 8,
            "mlp_ratio": 1,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        text_config=_language(words, rope_scaling={"type": "mrope", "mrope_section": [2, 3, 3]}),
        image_token_id=words.convert_tokens_to_ids(tokens[0]),
        video_token_id=words.convert_tokens_to_ids(tokens[1]),
        vision_start_token_id=words.convert_tokens_to_ids(tokens[2]),
        vision_end_token_id=words.convert_tokens_to_ids(tokens[3]),
    )
    pictures = {"patch_size": 8, "merge_size": 2}
    processor = hf.Qwen2VLProcessor(
        hf.Qwen2VLImageProcessor(
            **pictures, size={"shortest_edge": SIDE**2, "longest_edge": 4 * SIDE**2}
        ),
        words,
        hf.Qwen2VLVideoProcessor(**pictures),
        chat_template=CHAT.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return _save(hf.Qwen2VLForConditionalGeneration(config), folder, processor)


def smolvlm(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    tokens = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    words = _letters(*tokens)
    config = hf.SmolVLMConfig(
        vision_config={"model_type": "smolvlm_vision", **VISION},
        text_config={"model_type": "llama", **_language(words)},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    side = {"longest_edge": SIDE}
    pictures = hf.SmolVLMImageProcessor(size=side, max_image_size=side, do_image_splitting=False)
    processor = hf.SmolVLMProcessor(
        pictures,
        words,
        hf.SmolVLMVideoProcessor(size=side, max_image_size=side),
        image_seq_len=4,
        chat_template=CHAT.replace("IMAGE", "<image>"),
    )
    return _save(hf.SmolVLMForConditionalGeneration(config), folder, processor)


CAPTIONERS = {
    made.__name__: made for made in (blip, git, vit_gpt2, blip2, florence, llava, qwen, smolvlm)
}


# --- painters


def _clip_words() -> hf.PreTrainedTokenizerBase:
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{x}</w>" for x in LETTERS)]
    return hf.CLIPTokenizer(
        vocab={letter: number for number, letter in enumerate(vocabulary)},
        merges=[],
        model_max_length=77,
    )


def _clip(kind: type = hf.CLIPTextModel) -> hf.PreTrainedModel:
    return kind(
        hf.CLIPTextConfig(
            **{
                **_language(_clip_words()),
                "max_position_embeddings": 77,
                "eos_token_id": 1,
                "pad_token_id": 1,
                "projection_dim": 32,
            }
        )
    )


def _unet(**more):
    import diffusers

    return diffusers.UNet2DConditionModel(
        **{
            "block_out_channels": (32, 64),
            "layers_per_block": 1,
            "sample_size": 16,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "cross_attention_dim": 32,
            "attention_head_dim": 2,
            "norm_num_groups": 16,
            **more,
        }
    )


def _vae():
    import diffusers

    return diffusers.AutoencoderKL(
        block_out_channels=(32, 64),
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        norm_num_groups=16,
    )


BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def stable_diffusion(folder: Path, seed: int = 0) -> Path:
    """As Stable Diffusion 1.5 lies on the hub, its safety checker's weights included."""
    import diffusers

    torch.manual_seed(seed)
    vision = {**VISION, "projection_dim": 32}
    checker = diffusers.pipelines.stable_diffusion.StableDiffusionSafetyChecker(
        hf.CLIPConfig(vision_config=vision, text_config=_clip().config.to_dict())
    )
    diffusers.StableDiffusionPipeline(
        unet=_unet(),
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_clip_words(),
        scheduler=diffusers.DDIMScheduler(
            **BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        safety_checker=checker,
        feature_extractor=hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE),
    ).save_pretrained(folder)
    return folder


def sdxl(folder: Path, seed: int = 0) -> Path:
    """Two text encoders, and noise at each step, as SDXL-Turbo has them."""
    import diffusers

    torch.manual_seed(seed)
    diffusers.StableDiffusionXLPipeline(
        unet=_unet(
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=80,
            cross_attention_dim=64,
        ),
        vae=_vae(),
        text_encoder=_clip(),
        text_encoder_2=_clip(hf.CLIPTextModelWithProjection),
        tokenizer=_clip_words(),
        tokenizer_2=_clip_words(),
        scheduler=diffusers.EulerAncestralDiscreteScheduler(
            beta_schedule="scaled_linear", timestep_spacing="trailing"
        ),
    ).save_pretrained(folder)
    return folder


def lcm(folder: Path, seed: int = 0) -> Path:
    import diffusers

    torch.manual_seed(seed)
    diffusers.LatentConsistencyModelPipeline(
        unet=_unet(time_cond_proj_dim=32),
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_clip_words(),
        scheduler=diffusers.LCMScheduler(beta_schedule="scaled_linear", clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def pixart(folder: Path, seed: int = 0) -> Path:
    import diffusers

    torch.manual_seed(seed)
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -1.0)]
    words = hf.T5Tokenizer(vocab=letters + [(letter, -2.0) for letter in LETTERS], extra_ids=0)
    text = hf.T5Config(
        vocab_size=len(words), d_model=32, d_kv=8, d_ff=32, num_layers=2, num_heads=4
    )
    diffusers.PixArtAlphaPipeline(
        tokenizer=words,
        text_encoder=hf.T5EncoderModel(text),
        vae=_vae(),
        transformer=diffusers.PixArtTransformer2DModel(
            sample_size=32,
            num_layers=1,
            patch_size=8,
            attention_head_dim=8,
            num_attention_heads=3,
            caption_channels=32,
            in_channels=4,
            cross_attention_dim=24,
            out_channels=8,
        ),
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    ).save_pretrained(folder)
    return folder


def sana(folder: Path, seed: int = 0) -> Path:
    import diffusers

    torch.manual_seed(seed)
    vocabulary = ["<pad>", "<eos>", "<bos>", "<unk>", "\u2581", *LETTERS]
    words = hf.GemmaTokenizer(
        vocab={letter: number for number, letter in enumerate(vocabulary)}, merges=[]
    )
    text = hf.Gemma2Config(**_language(words, hidden_size=16, head_dim=8, num_key_value_heads=1))
    diffusers.SanaPipeline(
        tokenizer=words,
        text_encoder=hf.Gemma2Model(text),
        vae=diffusers.AutoencoderDC(
            in_channels=3,
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_types=("ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), (5,)),
            decoder_qkv_multiscales=((), (5,)),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=[1, 1],
            downsample_block_type="conv",
            upsample_block_type="interpolate",
            decoder_norm_types="rms_norm",
            decoder_act_fns="silu",
        ),
        transformer=diffusers.SanaTransformer2DModel(
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=4,
            num_cross_attention_heads=2,
            cross_attention_head_dim=4,
            cross_attention_dim=8,
            caption_channels=16,
            sample_size=32,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
    ).save_pretrained(folder)
    return folder


PAINTERS = {made.__name__: made for made in (stable_diffusion, sdxl, lcm, pixart, sana)}
