"""One file a rival: how its breaker is put around a function, and what its refusal raises."""
