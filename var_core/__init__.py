"""VAR Studio's library: a multi-scale VQ tokenizer and a next-scale transformer, generation as a stream of steps.

Letters in shape comments: `B` batch, `K` number of scales, `k` scale index, `s_k` side of scale k, `L_k = s_k^2`,
`L` the sum of all L_k, `C` code width, `D` model width, `H` heads, `V` codebook size, `S` image side in pixels.
"""

__version__ = "0.1.0"
