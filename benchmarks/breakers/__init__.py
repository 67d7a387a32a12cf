"""The breakers of others, each behind a small adapter, around the same functions."""
