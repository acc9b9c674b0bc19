# kernels.conv2d_winograd: what forward and the weight gradient share.

from fastcnn.kernels.micro cimport fc_streams, fc_winograd_block, fc_winograd_points, fc_winograd_tile

cdef fc_winograd_points POINTS

cdef struct Tiling:
    Py_ssize_t across, per_image  # tiles in a row of tiles, in an image
    Py_ssize_t tall, wide         # so many rows, columns of tiles have four outputs, those behind them three

cdef void set_geometry(fc_winograd_block *blk, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t pad_top,
                       Py_ssize_t pad_left) noexcept nogil
cdef Tiling tiling(Py_ssize_t height, Py_ssize_t width) noexcept nogil
cdef void look_at_tiles(fc_streams *ahead, int i, const char *data, const fc_winograd_block *blk, const Tiling *g,
                        Py_ssize_t lines, Py_ssize_t first, Py_ssize_t stop, Py_ssize_t item, Py_ssize_t calls) noexcept nogil
cdef void lay_tiles(const Tiling *g, fc_winograd_tile *tiles, Py_ssize_t *start, Py_ssize_t first,
                    Py_ssize_t count) noexcept nogil


cdef inline Py_ssize_t slice_begin(const Py_ssize_t *start, Py_ssize_t xi) noexcept nogil:
    """The first tile that has slice xi: without the fourth row, or column, of outputs the point -b is left out."""
    return start[1] if xi // 6 == 4 else 0


cdef inline Py_ssize_t slice_end(const Py_ssize_t *start, Py_ssize_t xi) noexcept nogil:
    return start[2] if xi % 6 == 4 else (start[3] if xi // 6 == 4 else start[4])


cdef inline Py_ssize_t odd_lines(Py_ssize_t elements, Py_ssize_t item) noexcept nogil:
    """Round up to an odd number of 64-byte lines: 36 slices at a power-of-two stride would meet in one cache set."""
    cdef Py_ssize_t lines = (elements * item + 63) // 64
    return (lines | 1) * 64 // item
