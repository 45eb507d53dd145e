"""Arithmetic expressions of a goniometer file, evaluated without executing anything else."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "arctan2": math.atan2, "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "abs": abs,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
}  # fmt: skip


def evaluate(expression: str, names: Mapping[str, float]) -> float:
    """Return the value of an arithmetic expression, read as numexpr does; nothing else is executed.

    Raises
    ------
    ValueError
        If the expression is anything but numbers, `names`, + - * / ** and elementary functions.
    """

    def value(node: ast.AST) -> float:
        match node:
            case ast.Constant(value=float() | int() as number) if not isinstance(number, bool):
                return float(number)
            case ast.Name(id=name) if name in names:
                return float(names[name])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(operand))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*map(value, args))
        raise ValueError(
            f"the expression {expression!r} contains {ast.unparse(node)}, which is not supported; "
            "use numbers, names, + - * / ** and elementary functions"
        )

    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, RecursionError) as error:
        raise ValueError(f"the expression {expression!r} is not an arithmetic expression") from error
