"""What a manifest asks not to be told, in the place where it stands.

Law    `# trafficcore: ignore TC201, TC302` counts for its own line or, alone on a line, for the
       next line that is no comment; `# trafficcore: ignore-file TC201` for the whole file. What
       follows another `#` is the reason. Comments do not outlive `kubectl`: the annotation
       `trafficcore/ignore: "TC201"` of an object counts for its whole document. A fault is never
       silenced, and a word that is no code is told.
State  Codes for each line and file, and for each document of a file in the order of their places.
"""

import re
from bisect import bisect_right

from trafficcore.manifest.codes import CODES
from trafficcore.manifest.comments import Comment, comments
from trafficcore.manifest.fields import nearest
from trafficcore.manifest.nodes import Mapping, Node, Scalar, Spot
from trafficcore.manifest.problems import ERROR, Notes, Place, Problem, short

__all__ = ["ANNOTATION", "Silences"]

ANNOTATION = "trafficcore/ignore"
_MARK = "trafficcore:"
_ASKED = re.compile(r"#\s*trafficcore:\s*ignore(?P<file>-file)?(?![-\w])[\s:]*(?P<codes>[^#]*)")
_BETWEEN = re.compile(r"[\s,]+")
_FAULTS = frozenset(code.id for code in CODES.values() if code.severity == ERROR)
_NAMES = {code.name: code.id for code in CODES.values() if code.id not in _FAULTS}

_Start = tuple[int, int]


class Silences:
    """All that was asked for in the files of one run."""

    def __init__(self) -> None:
        self._files: dict[str, set[str]] = {}
        self._lines: dict[tuple[str, int], set[str]] = {}
        self._documents: dict[str, list[tuple[_Start, frozenset[str]]]] = {}
        self._annotated: set[str] = set()

    def comments(self, text: str, notes: Notes) -> None:
        """Take in the comments of one file."""
        lines: list[str] = []
        for comment in comments(text, _MARK):
            asked = _ASKED.match(comment.text)
            if asked is None:
                continue
            lines = lines or text.split("\n")
            codes = _codes(asked["codes"], Spot(comment.line, comment.column), "", notes)
            if asked["file"]:
                self._files.setdefault(notes.file, set()).update(codes)
            else:
                line = _meant(comment, lines)
                self._lines.setdefault((notes.file, line), set()).update(codes)

    def document(self, node: Mapping, path: str, notes: Notes) -> None:
        """Take in the annotation of one document, and where the document begins."""
        codes: frozenset[str] = frozenset()
        value = _value(_value(_value(node, "metadata"), "annotations"), ANNOTATION)
        if isinstance(value, Scalar):
            where = f"{path}.metadata.annotations['{ANNOTATION}']".lstrip(".")
            codes = _codes(value.text, value, where, notes)
            self._annotated.add(notes.file)
        starts = self._documents.setdefault(notes.file, [])
        starts.append(((node.line, node.column), codes))

    def covers(self, problem: Problem) -> bool:
        """Whether somebody asked not to be told this."""
        code, file = problem.code, problem.file
        if problem.severity == ERROR:
            return False
        return (
            code in self._files.get(file, ())
            or code in self._lines.get((file, problem.line), ())
            or (file in self._annotated and code in self._annotation(problem))
        )

    def _annotation(self, problem: Problem) -> frozenset[str]:
        documents = self._documents[problem.file]
        place = (problem.line, problem.column)
        at = bisect_right(documents, place, key=lambda document: document[0]) - 1
        return documents[at][1] if at >= 0 else frozenset()


def _value(node: Node | None, name: str) -> Node | None:
    if isinstance(node, Mapping):
        for key, value in node.entries:
            if key.text == name:
                return value
    return None


def _meant(comment: Comment, lines: list[str]) -> int:
    """Return the line that a comment is about."""
    line = comment.line
    if comment.alone:
        while line < len(lines) and lines[line].lstrip().startswith("#"):
            line += 1
        line += 1
    return line


def _codes(text: str, at: Place, path: str, notes: Notes) -> frozenset[str]:
    """Read the codes; tell of each word that is none."""
    words = [word for word in _BETWEEN.split(text.strip()) if word]
    if not words:
        notes.warn("TC603", at, path, "names no code to ignore")
    for word in words:
        if word in _FAULTS:
            message = f"{word} is the code of a fault, and a fault cannot be ignored"
            notes.warn("TC603", at, path, message, word)
        elif word not in CODES:
            plain = word.upper().replace("O", "0")  # the letter for the digit
            meant = plain if plain in CODES else nearest(word, [*_NAMES.values(), *_NAMES])
            tail = f"; did you mean {_NAMES.get(meant, meant)}?" if meant else ""
            notes.warn("TC603", at, path, f"there is no code {short(word)} to ignore{tail}", word)
    return frozenset(words) & CODES.keys()
