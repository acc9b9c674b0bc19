"""tests.cases.tails: numbers of channels around the widths of vectors and register tiles."""

CHANNEL_TAILS = (1, 3, 5, 15, 16, 17, 31, 33, 48, 65)  # below, at and above the vector and register-tile widths
