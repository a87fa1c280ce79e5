// Stands for the page: what Python writes in front of the scripts. Imported before them.
globalThis.varStudio = {
  attentionUnit: 65535,
  gain: 2,
  grey: 128,
  leastProbability: 1e-4,
  colours: { mark: "#ff2d78" },
  markAlpha: 0.55,
};

const base64 = (values) => Buffer.from(values.buffer).toString("base64");

// A trace as the server tells it: two scales, 1 × 1 and 2 × 2, four codes, two layers of one head, two alternatives.
export const told = {
  sides: [1, 2],
  depth: 2,
  heads: 1,
  tokens: base64(Int32Array.of(3, 0, 3, 1, 3)),
  rank: base64(Int32Array.of(1, 2, 3, 4, 1)),
  unguided: base64(Int32Array.of(-1, 0, 2, 1, 0)),
  likeliest: base64(Int32Array.of(3, 0, 0, 3, 3, 1, 1, 2, 3, 2)),
  likeliestProbability: base64(Float32Array.of(0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25)),
  probability: base64(Float32Array.of(1, 0.01, 1e-4, 1e-6, 0.1)),
  entropy: base64(Float32Array.of(0, 1, 2, 3, 4)),
  divergence: base64(Float32Array.of(0.01, 0, 0.1, 1, 0.001)),
  evidence: base64(Float32Array.of(0.5, 0, -2, 1, -0.5)),
  colours: base64(Uint8Array.of(0, 0, 0, 10, 20, 30, 200, 100, 50, 255, 254, 253)),
  keep: base64(Uint8Array.of(1, 0, 0, 0, 0)),
  // layer by layer, from the first and the second scale, to the first and the second
  masses: base64(Uint16Array.of(65535, 0, 13107, 52428, 65535, 0, 39321, 26214)),
};

export const attention = base64(Uint16Array.of(13107, 0, 0, 52428, 0, 26214, 39321, 0, 0, 0));
