"""Small random models in transformers' format, with tokenizers and image processors, as the
Hugging Face hub has them in large."""

import json

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

PROT_T5 = ["<pad>", "</s>", "<unk>", *("\u2581" + c for c in "ALGVSREDTIPKFQNYMHWCXBOUZ")]
PROT_BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"LAGVESIKRDTPNQFYMHCWXUBZO"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
VISION = {**SMALL, "intermediate_size": 64, "image_size": 32, "patch_size": 8}
TEXT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 32, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1}


def randomise(model, seed=5, matrices=0.15, others=0.3):
    """Every parameter, norms and biases included, so that none can be left out unseen; with these
    standard deviations."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = matrices if parameter.dim() > 1 else others
            parameter.copy_(torch.randn(parameter.shape, generator=random) * scale)
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.add_(1.0)
    return model.eval()


def save(folder, model, *others):
    model.save_pretrained(folder)
    for other in others:
        other.save_pretrained(folder)
    return folder


def sentence_pieces(path, pieces):
    from sentencepiece import sentencepiece_model_pb2
    made = sentencepiece_model_pb2.ModelProto()
    for piece in pieces:
        kind = {"<pad>": 3, "</s>": 3, "<unk>": 2}.get(piece, 1)
        made.pieces.add(piece=piece, score=-3.0 if kind == 1 else 0.0, type=kind)
    made.trainer_spec.model_type = 1
    made.trainer_spec.pad_id, made.trainer_spec.eos_id, made.trainer_spec.unk_id = 0, 1, 2
    made.trainer_spec.bos_id = -1
    made.normalizer_spec.name = "identity"
    path.write_bytes(made.SerializeToString())


def t5(folder, **settings):
    """As Rostlab/prot_t5_xl_half_uniref50-enc: the vocabulary is a model of SentencePiece's."""
    config = transformers.T5Config(vocab_size=128, d_model=32, d_kv=16, d_ff=64, num_layers=3,
                                   num_heads=4, **settings)
    save(folder, randomise(transformers.T5EncoderModel(config)))
    sentence_pieces(folder / "spiece.model", PROT_T5)
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "T5Tokenizer", "do_lower_case": False, "extra_ids": 100}))
    return folder


def bert(folder, **settings):
    """As Rostlab/prot_bert: a model for masked words, in a .bin, its vocabulary a text."""
    config = transformers.BertConfig(**{**SMALL, "vocab_size": len(PROT_BERT),
                                        "intermediate_size": 64, "max_position_embeddings": 900,
                                        **settings})
    model = randomise(transformers.BertForMaskedLM(config))
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "vocab.txt").write_text("\n".join(PROT_BERT) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False}))
    return folder


def letters_tokenizer(tokens, before, after, **named):
    """A tokenizer.json that takes a sequence letter by letter, without spaces."""
    number = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(models.WordLevel(number, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    ends = [token for token in (before, after) if token]
    made.post_processor = processors.TemplateProcessing(
        single=" ".join(filter(None, [before, "$A", after])),
        special_tokens=[(token, number[token]) for token in ends])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>",
                                                pad_token="<pad>", **named)


def roberta(folder):
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *"ACDEFGHIKLMNPQRSTVWYX"]
    config = transformers.RobertaConfig(**SMALL, vocab_size=len(tokens), intermediate_size=64,
                                        max_position_embeddings=902, pad_token_id=1,
                                        hidden_act="gelu_new", type_vocab_size=1)
    return save(folder, randomise(transformers.RobertaModel(config)),
                letters_tokenizer(tokens, "<s>", "</s>"))


def electra(folder):
    config = transformers.ElectraConfig(**SMALL, embedding_size=16, vocab_size=len(PROT_BERT),
                                        intermediate_size=64, max_position_embeddings=900)
    save(folder, randomise(transformers.ElectraModel(config)))
    (folder / "vocab.txt").write_text("\n".join(PROT_BERT) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False}))
    return folder


def ankh(folder):
    """As ElnaggarLab/ankh-base: a gated T5 whose tokens are bare letters."""
    tokens = ["<pad>", "</s>", "<unk>", *"ALGVSREDTIPKFQNYMHWCXBOUZ"]
    config = transformers.T5Config(vocab_size=40, d_model=32, d_kv=8, d_ff=48, num_layers=3,
                                   num_heads=4, feed_forward_proj="gated-gelu",
                                   relative_attention_num_buckets=16,
                                   relative_attention_max_distance=64)
    return save(folder, randomise(transformers.T5EncoderModel(config)),
                letters_tokenizer(tokens, None, "</s>", eos_token="</s>"))


def dinov2(folder, registers=False, **settings):
    """As facebook/dinov2-base: positions of larger images than those it is given."""
    kind = "Dinov2WithRegisters" if registers else "Dinov2"
    config = getattr(transformers, kind + "Config")(**SMALL, image_size=42, patch_size=14,
                                                    **settings)
    processor = transformers.BitImageProcessorPil(
        size={"shortest_edge": 33}, crop_size={"height": 28, "width": 28},
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    return save(folder, randomise(getattr(transformers, kind + "Model")(config)), processor)


def siglip(folder):
    config = transformers.SiglipConfig(text_config=TEXT, vision_config=VISION)
    return save(folder, randomise(transformers.SiglipModel(config)),
                transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32}))


def clip(folder):
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)
    return save(folder, randomise(transformers.CLIPModel(config)),
                transformers.CLIPImageProcessorPil(size={"shortest_edge": 32},
                                                   crop_size={"height": 32, "width": 32}))


def clip_tower(folder):
    """As diffusers' image encoders: a tower alone, and its projection."""
    config = transformers.CLIPVisionConfig(**VISION, projection_dim=24)
    return save(folder, randomise(transformers.CLIPVisionModelWithProjection(config)),
                transformers.CLIPImageProcessorPil(size={"shortest_edge": 32},
                                                   crop_size={"height": 32, "width": 32}))


def vit(folder):
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    return save(folder, randomise(transformers.ViTModel(transformers.ViTConfig(**VISION))),
                processor)
