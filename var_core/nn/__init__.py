"""Networks without policy: layers, quantizer, tokenizer, transformer."""
