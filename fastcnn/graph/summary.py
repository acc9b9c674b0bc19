"""graph.summary: a graph as a text table."""

from __future__ import annotations

from math import prod

from .graph import Graph, Op


def _parameters(graph: Graph, op: Op) -> int:
    return sum(prod(graph.parameters[name]) for name in op.tensors.values() if name in graph.parameters)


def summary(graph: Graph) -> str:
    """Return one line per op: name, module, shape of the result, parameters, multiply-adds; and the sums."""
    rows = [("op", "module", "output", "parameters", "multiply-adds")]
    rows += [
        (op.op, op.module, " x ".join(map(str, op.shape)), f"{_parameters(graph, op):,}", f"{op.macs:,}") for op in graph.ops
    ]
    rows.append(("total", "", "", f"{graph.parameter_count:,}", f"{graph.macs:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 3 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
