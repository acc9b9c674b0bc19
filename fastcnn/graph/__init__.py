"""fastcnn.graph: the graph of a model: the one structure that prune, runtime, io and summary read."""

from .evaluation import evaluation
from .graph import EXAMPLE, Graph, Op
from .trace import trace

__all__ = ["EXAMPLE", "Graph", "Op", "evaluation", "trace"]
