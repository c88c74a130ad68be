"""What the integration tests and the benchmarks stand on; see tests/README.md."""
