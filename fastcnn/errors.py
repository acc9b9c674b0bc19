"""fastcnn.errors: the exceptions and warnings that the library raises."""


class FastcnnError(Exception):
    """Base class of every error that fastcnn raises on purpose."""


class ShapeError(FastcnnError, ValueError):
    """Shapes do not fit together, or a size is out of range; the text names op, rule and all shapes."""


class ArgumentError(FastcnnError, ValueError):
    """An option has a value that the operation does not accept."""


class DtypeError(FastcnnError, TypeError):
    """An array has a dtype, or an argument a type, that the operation does not accept."""


class GradientError(FastcnnError, RuntimeError):
    """The tape cannot compute this gradient: a second backward, a changed saved array, no graph."""


class StateError(FastcnnError, RuntimeError):
    """An object is not in the state that the call needs (missing keys, wrong model, closed loader)."""


class FileFormatError(FastcnnError, ValueError):
    """A file is not what its format promises."""


class MissingExtraError(FastcnnError, ImportError):
    """An optional dependency is absent; the text names the extra to install."""


class CaptureWarning(UserWarning):
    """A step runs op by op although it was to be captured; the text names the reason."""


class PerformanceWarning(UserWarning):
    """Work ran, correctly, on a path that is known to be slow."""
