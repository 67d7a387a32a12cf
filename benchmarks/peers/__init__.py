"""The limiters of others, each behind a small adapter, doing the same work by the same clock."""
