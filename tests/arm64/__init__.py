"""tests.arm64: a driver in C for the portable micro-kernels, for `make arm64`."""
