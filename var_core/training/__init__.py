"""Training of tokenizers, decoders and transformers on folders of pictures."""
