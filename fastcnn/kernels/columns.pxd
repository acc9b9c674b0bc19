# kernels.columns: how sums over the rows of a (pixels x channels) matrix are cut into chunks, fixed by its shape.

from fastcnn.kernels.micro cimport fc_ukr

cdef struct Columns:
    Py_ssize_t rows, channels     # of the matrix, dense
    Py_ssize_t group, width       # pixels of a wide row, group * channels: few channels still fill vectors
    Py_ssize_t wide, tail         # wide rows; rows left over
    Py_ssize_t chunk, chunks      # wide rows of a chunk; chunks
    Py_ssize_t tile, tiles        # columns of a tile; tiles
    Py_ssize_t blocks             # rows of partial results with `channels` values each: chunks * group, and one for the tail
    Py_ssize_t tasks              # chunks * tiles, and one for the tail

cdef struct Tile:
    Py_ssize_t at                 # first element
    Py_ssize_t rows, width, stride
    Py_ssize_t part               # where its partial results stand
    Py_ssize_t column             # its first column in a wide row

cdef Columns plan(const fc_ukr *u, Py_ssize_t rows, Py_ssize_t channels) noexcept nogil
cdef Tile tile(const Columns *c, Py_ssize_t task) noexcept nogil
cdef Py_ssize_t scratch_width(const Columns *c) noexcept nogil
cdef void repeat(char *dst, const double *src, const Columns *c, Py_ssize_t item) noexcept nogil
cdef void counts(double *count, const Columns *c) noexcept nogil
