"""RING 3: what an engine did, for people and for tools."""

__all__: list[str] = []
