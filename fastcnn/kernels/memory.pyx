"""kernels.memory: cached, aligned blocks of memory for outputs and scratch.

Fresh pages cost more than a convolution, so freed blocks wait in lists by size (four classes for each power of two). The
lists hold at most CACHE_LIMIT bytes; everything happens under the GIL, which is the lock.
"""

cimport numpy as cnp
from libc.stdlib cimport free

cnp.import_array()

cdef extern from *:
    """
    #include <stdlib.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    /* 64-byte aligned; large blocks on huge pages where the system has them. */
    static void *fc_allocate(size_t size) {
        const size_t huge = (size_t)2 << 20;
        void *p = NULL;
        if (posix_memalign(&p, size >= huge ? huge : 64, size)) return NULL;
    #if defined(MADV_HUGEPAGE)
        if (size >= huge) madvise(p, size, MADV_HUGEPAGE);
    #endif
        return p;
    }
    """
    void *fc_allocate(size_t size) nogil

cdef enum:
    CLASSES = 160
    HUGE = 2 << 20
    SMALLEST = 4096  # bytes; smaller arrays come from NumPy's own cache
cdef size_t CACHE_LIMIT = <size_t>2 << 30
cdef void *free_lists[CLASSES]  # the first word of a free block points to the next one
cdef size_t cached = 0
cdef size_t in_use = 0


cdef size_t class_size(int c) noexcept nogil:
    """Bytes of size class c: SMALLEST * 2^(c/4) * (1 + (c%4)/4)."""
    return (<size_t>SMALLEST << (c >> 2)) / 4 * (4 + (c & 3))


cdef int class_of(size_t size) noexcept nogil:
    cdef int c = 0
    while class_size(c) < size:
        c += 4
    while c > 0 and class_size(c - 1) >= size:
        c -= 1
    return c


cdef class Block:
    """A block of memory that goes back to the lists when its last array dies."""

    def __cinit__(self):
        self.data = NULL

    def __dealloc__(self):
        global cached, in_use
        cdef size_t size
        if self.data == NULL:
            return
        size = class_size(self.size_class)
        in_use -= size
        if cached + size > CACHE_LIMIT:
            free(self.data)
            return
        (<void **>self.data)[0] = free_lists[self.size_class]
        free_lists[self.size_class] = self.data
        cached += size


cdef Block block(size_t size):
    """Return a block of at least `size` bytes, 64-byte aligned; raise MemoryError when there is none."""
    global cached, in_use
    cdef Block b = Block.__new__(Block)
    if size > <size_t>1 << 46:
        raise MemoryError(f"fastcnn: cannot allocate {size} bytes")
    b.size_class = class_of(size)
    size = class_size(b.size_class)
    b.data = <char *>free_lists[b.size_class]
    if b.data != NULL:
        free_lists[b.size_class] = (<void **>b.data)[0]
        cached -= size
    else:
        b.data = <char *>fc_allocate(size)
        if b.data == NULL:
            release_all()
            b.data = <char *>fc_allocate(size)
        if b.data == NULL:
            raise MemoryError(f"fastcnn: cannot allocate {size} bytes")
    in_use += size
    return b


cdef Py_ssize_t apart(Py_ssize_t size) noexcept nogil:
    """Round up the scratch of one thread so that it stands alone on its huge pages.

    Measured on a Zen 5 with 1 MiB of L2: Winograd on two threads whose scratch met in 4 KiB pages ran at 670 GFLOP/s, with
    this at 1070. Scratch that stays in L1 keeps to whole pairs of lines.
    """
    cdef Py_ssize_t unit = HUGE if size >= 32 * 1024 else 128
    return (size + unit - 1) // unit * unit


cdef void release_all() noexcept:
    global cached
    cdef int c
    cdef void *p
    for c in range(CLASSES):
        while free_lists[c] != NULL:
            p = free_lists[c]
            free_lists[c] = (<void **>p)[0]
            free(p)
    cached = 0


cdef object empty_like_shape(tuple shape, int typenum):
    """Return an uninitialised C-order array of the NumPy type number `typenum`."""
    cdef cnp.npy_intp dims[8]
    cdef int i, n = len(shape)
    cdef size_t size = 8 if typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_INT64 else 4
    cdef Block b
    cdef object array
    if typenum == cnp.NPY_UINT8:
        size = 1
    for i in range(n):
        dims[i] = shape[i]
        size *= dims[i]
    if size < SMALLEST:
        return cnp.PyArray_EMPTY(n, dims, typenum, 0)
    b = block(size)
    array = cnp.PyArray_SimpleNewFromData(n, dims, typenum, b.data)
    cnp.set_array_base(array, b)
    return array


cdef object empty_nchw(Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, int typenum):
    """Return an uninitialised array of logical shape NCHW in channels-last memory."""
    return empty_like_shape((batch, height, width, channels), typenum).transpose(0, 3, 1, 2)


def empty_cache():
    """Give every cached free block back to the system."""
    release_all()


def statistics():
    """Return the bytes in live blocks (`in_use`) and in the free lists (`cached`)."""
    return {"in_use": in_use, "cached": cached}
