"""RING 3: an engine under an application or an HTTP client. Shells translate, they never decide."""

__all__: list[str] = []
