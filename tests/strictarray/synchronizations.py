"""Where microgad may fetch an array from the device, by folder, file or function, and why."""

ALLOWED = {
    "tensor.py": "the user asks for the values",
    "ops/movement/conversion.py:Transfer": "the user moves the Tensor",
    "storage.py:UntypedStorage.to": "the user moves the storage",
    "storage.py:_StorageBase": "the user asks for the values",
    "ops/creation/data.py:from_array": "the user asks for a copy on the host",
    "methods/printing.py": "text is made on the host",
    "serialization/": "files are written on the host",
    "dispatch/files.py": "files are written on the host",
    "graph/": "drawings are made on the host",
    "training/": "a checksum of the parameters",
    "testing/": "checks compare on the host",
    # Values that determine shapes: one number for each bag, sequence or slice.
    "ops/embedding.py:_bag_bounds": "where bags begin",
    "ops/embedding.py:embedding_bag": "the indices, of which those at padding_idx don't count",
    "ops/loss/ctc.py": "labels and lengths of sequences",
    "ops/movement/repeating.py:_counts": "how often each slice is repeated",
    "dispatch/movement.py:_insert": "where values go",
    "ops/reduction/segments.py:_bounds": "where segments begin",
    # Values that determine the next step.
    "ops/linalg/ldl.py": "which rows are exchanged",
    # Values that determine draws, which PyTorch's CPU generator makes for all devices.
    "ops/random/sampling.py": "the probabilities to draw with",
    "ops/random/in_place.py:bernoulli_": "the probabilities to draw with",
    "ops/activation/piecewise.py:rrelu": "where to draw",
    "ops/random/seeds.py": "the state of a generator",
    "distributions/reparameterized.py": "the parameters to draw with, and the draws whose derivatives are computed",
    # Values of few rows.
    "ops/embedding.py:embedding_renorm_": "which rows are used, and which are too long",
}
