"""kernels.micro: hands out the micro-kernel table of the instruction set in use."""

from fastcnn import cpu

from fastcnn.cpu_probe cimport level_in_use

cdef extern from "ukr.h" nogil:
    const fc_ukr *fc_ukr_table(int level, int item)


cdef const fc_ukr *table(Py_ssize_t item) except NULL:
    """Return the table for elements of `item` bytes (4 or 8)."""
    cdef const fc_ukr *found = fc_ukr_table(level_in_use(), <int>item)
    if found == NULL:
        raise RuntimeError(f"this build of fastcnn has no {cpu.isa()} kernels")
    return found


def tile_shape(Py_ssize_t item):
    """Return (rows, columns) of the register tile for elements of `item` bytes."""
    return table(item).mr, table(item).nr
