"""fastcnn.prune: remove filters for real."""

from .filters import filters, plan
from .mask import mask
from .shrink import shrink

__all__ = ["filters", "mask", "plan", "shrink"]
