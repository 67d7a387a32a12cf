"""A look at parts of a document that is held to no table: what is odd is as good as absent."""

from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence

__all__ = ["child", "entries_of", "items_of", "text_of", "texts_of", "written"]


def child(node: Node | None, name: str) -> Node | None:
    """Return what stands under a name, None where nothing does."""
    if isinstance(node, Mapping):
        for key, value in node.entries:
            if key.text == name:
                return value
    return None


def items_of(node: Node | None) -> list[Node]:
    """Return the items of a list; of anything else, none."""
    return node.items if isinstance(node, Sequence) else []


def entries_of(node: Node | None) -> list[tuple[Scalar, Node]]:
    """Return keys and values of a mapping; of anything else, none."""
    return node.entries if isinstance(node, Mapping) else []


def text_of(node: Node | None) -> str:
    """Return a scalar's text, "" for anything else."""
    return node.text if isinstance(node, Scalar) and not node.is_null else ""


def texts_of(node: Node | None) -> list[str]:
    """Return the texts of a list that are there."""
    return [text for text in map(text_of, items_of(node)) if text]


def written(node: Node) -> str:
    """Write a value that is not looked into, so that equal ones are equal."""
    if isinstance(node, Scalar):
        return repr(node.text)
    if isinstance(node, Sequence):
        return f"[{', '.join(map(written, node.items))}]"
    return f"{{{', '.join(f'{key.text!r}: {written(value)}' for key, value in node.entries)}}}"
