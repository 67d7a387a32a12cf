"""Small wrongs, one at a time: what a file becomes when one thing in it is another.

Law     A site is one place with one change: a comparison's edge or its contrary, an operator's
        contrary, `and` for `or`, a condition the other way, a number one more, a truth its
        contrary, a statement left out, an answer that is None. Left alone: texts, annotations,
        docstrings, `__all__` and `__slots__`, the messages of exceptions.
Use     `find(source)` lists the sites, `apply(source, number)` returns the tree with one changed.
"""

import ast

__all__ = ["Site", "apply", "find"]

_COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_REVERSED = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
_OPERATED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_LISTS = frozenset({"__all__", "__slots__", "ATOMIC"})


class Site:
    """One change: where, in which outermost function (None: the module's own), and what."""

    def __init__(self, number, line, function, before, after):
        self.number = number
        self.line = line
        self.function = function
        self.before = before
        self.after = after


class _Walk(ast.NodeTransformer):
    """Numbers the sites of a tree; makes the change of the one that is asked for."""

    def __init__(self, wanted=None):
        self.wanted = wanted
        self.sites = []
        self._path = []
        self._inside = False

    def _offer(self, node, after):
        """Note a site; return whether it is the one to be changed."""
        number = len(self.sites)
        before = ast.unparse(node)
        function = ".".join(self._path) if self._inside else None
        self.sites.append(Site(number, node.lineno, function, before, after))
        return number == self.wanted

    def _one_of(self, node, changes):
        """Offer changes of a node, first to last; return the node as it is to be."""
        result = node
        for after in changes:
            if self._offer(node, ast.unparse(after) if after is not None else "(left out)"):
                result = ast.Pass() if after is None else after
        if result is not node:
            ast.copy_location(result, node)
            ast.fix_missing_locations(result)
        return result

    # What has no sites

    def visit_JoinedStr(self, node):
        return node

    def visit_Raise(self, node):
        return self._one_of(node, [None])

    def visit_AnnAssign(self, node):
        if node.value is not None and _name(node.target) not in _LISTS:
            node.value = self.visit(node.value)
            if isinstance(node.target, ast.Attribute):
                return self._one_of(node, [None])
        return node

    def visit_arguments(self, node):
        inside, self._inside = self._inside, False  # defaults are the module's
        node.defaults = [self.visit(each) for each in node.defaults]
        node.kw_defaults = [each and self.visit(each) for each in node.kw_defaults]
        self._inside = inside
        return node

    # Where they are

    def visit_ClassDef(self, node):
        self._path.append(node.name)
        node.body = [self.visit(each) for each in node.body]
        self._path.pop()
        return node

    def visit_FunctionDef(self, node):
        node.args = self.visit(node.args)
        outermost = not self._inside
        if outermost:
            self._path.append(node.name)
            self._inside = True
        node.body = [self.visit(each) for each in node.body]
        if outermost:
            self._path.pop()
            self._inside = False
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    # The sites

    def visit_Compare(self, node):
        self.generic_visit(node)
        changes = []
        for index, op in enumerate(node.ops):
            for table in (_COMPARED, _REVERSED):
                if type(op) in table:
                    ops = [*node.ops[:index], table[type(op)](), *node.ops[index + 1 :]]
                    changes.append(ast.Compare(node.left, ops, node.comparators))
        return self._one_of(node, changes)

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.BitOr) and (_is_type(node.left) or _is_type(node.right)):
            return node
        return self._one_of(node, [ast.BinOp(node.left, _OPERATED[type(node.op)](), node.right)])

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        other = ast.AugAssign(node.target, _OPERATED[type(node.op)](), node.value)
        return self._one_of(node, [other, None])

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self._one_of(node, [ast.BoolOp(other, node.values)])

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return self._one_of(node, [node.operand])

    def visit_If(self, node):
        self.generic_visit(node)
        node.test = self._contrary(node.test)
        return node

    def visit_While(self, node):
        self.generic_visit(node)
        node.test = self._contrary(node.test)
        return node

    def visit_IfExp(self, node):
        self.generic_visit(node)
        node.test = self._contrary(node.test)
        return node

    def _contrary(self, test):
        """Offer a condition the other way, unless a comparison or a `not` has been offered so."""
        if isinstance(test, ast.Compare | ast.UnaryOp) or _is_true(test):
            return test
        return self._one_of(test, [ast.UnaryOp(ast.Not(), test)])

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            return self._one_of(node, [ast.Constant(not node.value)])
        if isinstance(node.value, int | float):
            return self._one_of(node, [ast.Constant(node.value + 1)])
        return node

    def visit_Assign(self, node):
        if any(_name(target) in _LISTS for target in node.targets):
            return node
        self.generic_visit(node)
        stored = isinstance(node.targets[0], ast.Attribute | ast.Subscript)
        return self._one_of(node, [None] if stored and self._inside else [])

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Constant):  # a docstring
            return node
        self.generic_visit(node)
        return self._one_of(node, [None] if isinstance(node.value, ast.Call) else [])

    def visit_Delete(self, node):
        return self._one_of(node, [None])

    def visit_Return(self, node):
        self.generic_visit(node)
        nothing = node.value is None or _is_none(node.value)
        return self._one_of(node, [] if nothing else [ast.Return(ast.Constant(None))])

    def visit_Continue(self, node):
        return self._one_of(node, [ast.Break()])

    def visit_Break(self, node):
        return self._one_of(node, [ast.Continue()])


def _name(target):
    return target.id if isinstance(target, ast.Name) else ""


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def _is_true(node):
    return isinstance(node, ast.Constant) and node.value is True


def _is_type(node):
    """Whether it is a class, as in `Time | Count` or `float | None`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.BinOp):
        return _is_type(node.left)
    return isinstance(node, ast.Name) and (
        node.id.strip("_")[:1].isupper() or node.id in {"int", "float", "str", "tuple", "type"}
    )


def find(source):
    """Return the sites of a file."""
    walk = _Walk()
    walk.visit(ast.parse(source))
    return walk.sites


def apply(source, number):
    """Return the tree of a file with one site changed."""
    return ast.fix_missing_locations(_Walk(number).visit(ast.parse(source)))
