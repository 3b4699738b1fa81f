"""Formulas of a budget: numbers that follow from the shape a kernel is launched for."""

from __future__ import annotations

import ast
import operator
from typing import Callable, Mapping, Union

Formula = Union[int, float, str]


class FormulaError(ValueError):
    """A formula that means no number."""


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "ceil_div": lambda a, b: -(-a // b),
}


def evaluate(formula: Formula, names: Mapping[str, float]) -> float:
    """The value of "ceil_div(N, 32) * 2" and the like: + - * / // %, min, max and ceil_div."""
    if isinstance(formula, (int, float)):
        return formula
    try:
        return _value(ast.parse(formula, mode="eval").body, names)
    except (SyntaxError, ZeroDivisionError, TypeError) as error:
        raise FormulaError(f"{formula!r}: {error}") from error
    except FormulaError as error:
        raise FormulaError(f"{formula!r}: {error}") from error


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise FormulaError(f"no {node.id}; there are {', '.join(sorted(names))}")
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id in _FUNCTIONS:
            return _FUNCTIONS[node.func.id](*(_value(each, names) for each in node.args))
    raise FormulaError(f"{ast.unparse(node)} is not understood")
