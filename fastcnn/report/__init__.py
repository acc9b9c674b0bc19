"""fastcnn.report: measured figures as tables, curves and one HTML page."""

from .figures import Figures, compare, measure
from .html import write_html
from .latency import Latency, measure_latencies, measure_latency
from .strategies import plot_strategies
from .table import comparison_rows, comparison_text, print_comparison

__all__ = [
    "Figures",
    "Latency",
    "compare",
    "comparison_rows",
    "comparison_text",
    "measure",
    "measure_latencies",
    "measure_latency",
    "plot_strategies",
    "print_comparison",
    "write_html",
]
