"""tests.bench: the tools behind the benchmarks, not the benchmarks."""
