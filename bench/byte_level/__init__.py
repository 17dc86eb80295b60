"""The next byte from a token model: what it costs beside genlm-bytes, when the model itself costs nothing."""
