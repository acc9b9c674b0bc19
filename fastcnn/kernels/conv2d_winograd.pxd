# kernels.conv2d_winograd: what forward and the weight gradient share.

from fastcnn.kernels.micro cimport fc_winograd_block, fc_winograd_points

cdef fc_winograd_points POINTS

cdef void set_geometry(fc_winograd_block *blk, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t tiles_y,
                       Py_ssize_t tiles_x, Py_ssize_t pad_top, Py_ssize_t pad_left) noexcept nogil


cdef inline Py_ssize_t odd_lines(Py_ssize_t elements, Py_ssize_t item) noexcept nogil:
    """Round up to an odd number of 64-byte lines: 36 slices at a power-of-two stride would meet in one cache set."""
    cdef Py_ssize_t lines = (elements * item + 63) // 64
    return (lines | 1) * 64 // item
