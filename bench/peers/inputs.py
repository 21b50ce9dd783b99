"""What the peers are fed."""
import numpy as np


def feed_of(lens):
    """Random ids of these lengths, padded to the longest."""
    rng = np.random.default_rng(11)
    width = max(lens)
    mask = (np.arange(width) < np.array(lens)[:, None]).astype(np.int64)
    ids = rng.integers(1000, 20000, mask.shape).astype(np.int64) * mask
    return dict(input_ids=ids, attention_mask=mask, token_type_ids=np.zeros_like(ids))
