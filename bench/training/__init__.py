"""Training beside the libraries that train: seconds, peak memory, and the same merges or not."""
