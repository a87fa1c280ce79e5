"""The card of a model, README.md of its repository on the Hugging Face hub, made from what its file says."""

import json
import math
import re
from pathlib import Path

from ..settings import described
from ..tables import markdown
from .checkpoints import MASKED, PARTS, file_digest, opened_model, read_spec

TITLES = dict(zip((*PARTS, MASKED), ("tokenizer", "preview", "transformer", "masked path"), strict=True))
TAGS = ["visual-autoregressive-modeling", "next-scale-prediction", "class-conditional", "image-generation"]
LINKS = re.compile(r"(?<!!)\[([^]]*)\]\((?![a-z]+:)[^)]*\)")  # that lead to files beside the notes
PICTURES = re.compile(r"^!\[[^]]*\]\((?![a-z]+:)[^)]*\)\n+", re.MULTILINE)
INTRODUCTION = (
    "A model of visual autoregressive modelling (VAR, next-scale prediction, "
    "[arXiv 2404.02905](https://arxiv.org/abs/2404.02905)), for VAR Studio and its library: it draws pictures of a "
    "class as a pyramid of token maps, coarse to fine."
)
USE = """## Use

With VAR Studio installed:

```python
from var_core.engine.pipeline import Pipeline
from var_core.engine.request import Request

pipe = Pipeline.from_pretrained({source})  # the repository, or the folder, that this card lies in
request = Request((pipe.spec.label({class_name}),), seeds=(7,), sampling=pipe.spec.default_sampling)
pipe.run(request).images[0].save("picture.png")
```"""


def card(model: Path, source: str, license: str | None = None) -> str:
    """Return the card, Markdown after a YAML front matter, of the model in a file.

    `source` is what `Pipeline.from_pretrained` is to be given, and `license` an identifier of the hub's, such as "mit".
    What stands in a file NAME.md beside the model's NAME.safetensors, such as terms, is taken over.
    ValueError if the file is no model.
    """
    from huggingface_hub import ModelCardData

    spec, counts = read_spec(model), _parameters(model)
    front = ModelCardData(
        library_name="var-studio", pipeline_tag="unconditional-image-generation", tags=TAGS, license=license
    )
    facts = {
        "pictures": f"{spec.tokenizer.drawn_side} x {spec.tokenizer.drawn_side} pixels",
        "classes": str(spec.transformer.classes),
        "token maps": f"sides {', '.join(map(str, spec.tokenizer.sides))}; order: {spec.tokenizer.order}",
        "codes": f"{spec.tokenizer.vocabulary} of {spec.tokenizer.code_width} numbers",
        "parameters": ", ".join(f"{TITLES[part]} {count:,}" for part, count in counts.items() if count),
        "drawn by default with": ", ".join(described(spec.default_sampling)),
        "digest": f"`{file_digest(model)}`",
    }
    parts = [f"---\n{front.to_yaml()}\n---", f"# {spec.name}", INTRODUCTION, markdown(("", ""), facts.items())]
    parts.append(USE.format(source=json.dumps(source), class_name=json.dumps(spec.showcase or spec.class_name(0))))
    if spec.class_names:
        parts.append(f"<details><summary>Classes</summary>\n\n{', '.join(spec.class_names)}\n\n</details>")
    if (notes := model.with_suffix(".md")).is_file():
        parts.append(f"## Notes of its makers\n\n{_standalone(notes.read_text(encoding='utf-8'))}")
    elif license is None:
        parts.append("The file names no licence: ask whoever shares it what may be done with the weights.")
    return "\n\n".join(parts) + "\n"


def _parameters(model: Path) -> dict[str, int]:
    """Count the numbers in each part of a model's file, by what the names of its tensors begin with."""
    counts = dict.fromkeys(TITLES, 0)
    with opened_model(model) as file:
        for name in file.keys():
            part = f"{name.split('.')[0]}."
            counts[part] = counts.get(part, 0) + math.prod(file.get_slice(name).get_shape())
    return {part: count for part, count in counts.items() if part in TITLES}


def _standalone(notes: str) -> str:
    """Return notes one level deeper, without their title and what lies in files beside them."""
    lines = re.sub(r"\A# .*\n+", "", LINKS.sub(r"\1", PICTURES.sub("", notes)))
    return re.sub(r"^(#+ )", r"#\1", lines, flags=re.MULTILINE).strip()
