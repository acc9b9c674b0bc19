"""kernels.memory: cached, aligned blocks of memory for outputs and scratch.

Fresh pages cost more than a convolution, so freed blocks wait in lists by size (four classes for each power of two). The
lists hold at most CACHE_LIMIT bytes; everything happens under the GIL, which is the lock.

A thread that captures a step takes its blocks from an Arena: what dies there is used again by the same step only, so the
addresses that the step has seen once are its memory plan.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from libc.stdlib cimport free, malloc

cnp.import_array()

cdef extern from *:
    """
    #include <stdlib.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    #if defined(__GLIBC__)
    #include <malloc.h>
    #endif
    static __thread void *fc_arena = NULL; /* the Arena of this thread, borrowed from whoever set it */
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
    static void fc_trim(void) {
    #if defined(__GLIBC__)
        malloc_trim(0);
    #endif
    }
    """
    void *fc_arena
    void *fc_allocate(size_t size) nogil
    void fc_trim() nogil

cdef enum:
    HUGE = 2 << 20
    SMALLEST = 256        # bytes of the smallest block: every class is a multiple of a cache line
    SMALL_ARRAY = 4096    # bytes; smaller arrays come from NumPy's own cache
cdef size_t CACHE_LIMIT = <size_t>2 << 30
cdef void *free_lists[CLASSES]  # the first word of a free block points to the next one
cdef size_t cached = 0
cdef size_t in_use = 0
cdef size_t captured = 0
cdef size_t huge = 0


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


cdef void *take(int c) noexcept:
    """Memory of size class c from the lists or the system; NULL when there is none."""
    global cached, huge
    cdef size_t size = class_size(c)
    cdef void *p = free_lists[c]
    if p != NULL:
        free_lists[c] = (<void **>p)[0]
        cached -= size
        return p
    p = fc_allocate(size)
    if p == NULL:
        release_all()
        p = fc_allocate(size)
    if p != NULL and size >= HUGE:
        huge += size
    return p


cdef void give(void *p, int c) noexcept:
    """Put memory of size class c into the lists, or back to the system when they are full."""
    global cached, huge
    cdef size_t size = class_size(c)
    if cached + size > CACHE_LIMIT:
        free(p)
        if size >= HUGE:
            huge -= size
        return
    (<void **>p)[0] = free_lists[c]
    free_lists[c] = p
    cached += size


cdef class Arena:
    """The memory of one captured step: blocks that die come back here until it is closed.

    The lists stand beside the blocks, not in them: a replay writes to all of them.
    """

    def __cinit__(self):
        cdef int c
        for c in range(CLASSES):
            self.free_lists[c] = NULL

    cdef void keep(self, void *data, int c) noexcept:
        """Put a free block into the lists; without memory for the entry it is lost until the process ends."""
        global captured
        cdef Free *entry = <Free *>malloc(sizeof(Free))
        if entry != NULL:
            entry.data, entry.next = data, self.free_lists[c]
            self.free_lists[c] = entry
            captured += class_size(c)

    cdef void *take(self, int c) noexcept:
        """A free block of size class c, or NULL."""
        global captured
        cdef Free *entry = self.free_lists[c]
        cdef void *data
        if entry == NULL:
            return NULL
        data, self.free_lists[c] = entry.data, entry.next
        free(entry)
        captured -= class_size(c)
        return data

    cdef void close(self) noexcept:
        """Give the free blocks away; those in use follow when they die."""
        cdef int c
        cdef void *p
        if self.closed:
            return
        self.closed = True
        for c in range(CLASSES):
            p = self.take(c)
            while p != NULL:
                self.size -= class_size(c)
                give(p, c)
                p = self.take(c)

    def __dealloc__(self):
        self.close()


@cython.no_gc
@cython.freelist(64)
cdef class Block:
    """A block of memory that goes back to the lists when its last array dies."""

    def __cinit__(self):
        self.data = NULL

    cdef size_t size(self) noexcept:
        """Its bytes, at least what was asked for."""
        return class_size(self.size_class)

    def __dealloc__(self):
        global in_use
        cdef size_t size
        if self.data == NULL:
            return
        size = class_size(self.size_class)
        in_use -= size
        if self.arena is None:
            give(self.data, self.size_class)
        elif self.arena.closed:
            self.arena.size -= size
            give(self.data, self.size_class)
        else:
            self.arena.keep(self.data, self.size_class)


cdef Block block(size_t size):
    """Return a block of at least `size` bytes, 64-byte aligned; raise MemoryError when there is none."""
    global in_use
    cdef Block b = Block.__new__(Block)
    cdef void *p = NULL
    if size > <size_t>1 << 46:
        raise MemoryError(f"fastcnn: cannot allocate {size} bytes")
    b.size_class = class_of(size)
    size = class_size(b.size_class)
    if fc_arena != NULL:
        b.arena = <Arena>fc_arena
        p = b.arena.take(b.size_class)
    if p == NULL:
        p = take(b.size_class)
        if p == NULL:
            raise MemoryError(f"fastcnn: cannot allocate {size} bytes")
        if b.arena is not None:
            b.arena.size += size
    b.data = <char *>p
    in_use += size
    return b


cdef void use_arena(Arena arena) noexcept:
    """Take the blocks of this thread from `arena` from now on, from the common lists for None. The caller keeps it alive."""
    global fc_arena
    fc_arena = NULL if arena is None else <void *>arena


cdef Py_ssize_t apart(Py_ssize_t size) noexcept nogil:
    """Round up the scratch of one thread so that it stands alone on its huge pages.

    Measured on a Zen 5 with 1 MiB of L2: Winograd on two threads whose scratch met in 4 KiB pages ran at 670 GFLOP/s, with
    this at 1070. Scratch that stays in L1 keeps to whole pairs of lines.
    """
    cdef Py_ssize_t unit = HUGE if size >= 32 * 1024 else 128
    return (size + unit - 1) // unit * unit


cdef void release_all() noexcept:
    global cached, huge
    cdef int c
    cdef void *p
    for c in range(CLASSES):
        while free_lists[c] != NULL:
            p = free_lists[c]
            free_lists[c] = (<void **>p)[0]
            free(p)
            if class_size(c) >= HUGE:
                huge -= class_size(c)
    cached = 0
    fc_trim()


cdef object empty_of(int ndim, cnp.npy_intp *shape, int typenum):
    """Return an uninitialised C-order array of the NumPy type number `typenum`."""
    cdef size_t size = 4
    cdef int i
    cdef Block b
    cdef object array
    if typenum != cnp.NPY_FLOAT:
        size = (<cnp.dtype>cnp.PyArray_DescrFromType(typenum)).itemsize
    for i in range(ndim):
        size *= shape[i]
    if ndim > 8 or (size < SMALL_ARRAY and fc_arena == NULL):
        return cnp.PyArray_EMPTY(ndim, shape, typenum, 0)
    b = block(size)
    array = cnp.PyArray_SimpleNewFromData(ndim, shape, typenum, b.data)
    cnp.set_array_base(array, b)
    return array


cdef object empty_like_shape(tuple shape, int typenum):
    """As `empty_of`, of a tuple."""
    cdef cnp.npy_intp dims[8]
    cdef int i, n = len(shape)
    if n > 8:
        return np.empty(shape, cnp.PyArray_DescrFromType(typenum))
    for i in range(n):
        dims[i] = shape[i]
    return empty_of(n, dims, typenum)


cdef object empty_nchw(Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width, int typenum):
    """Return an uninitialised array of logical shape NCHW in channels-last memory."""
    cdef cnp.npy_intp dims[4]
    cdef cnp.npy_intp axes[4]
    cdef cnp.PyArray_Dims order
    dims[0], dims[1], dims[2], dims[3] = batch, height, width, channels
    axes[0], axes[1], axes[2], axes[3] = 0, 3, 1, 2
    order.ptr, order.len = axes, 4
    return cnp.PyArray_Transpose(empty_of(4, dims, typenum), &order)


def empty(shape, dtype):
    """Return an uninitialised C-order array of at most 8 axes; a step that is being captured owns its memory."""
    return empty_like_shape(tuple(shape), dtype.num)


def empty_cache() -> None:
    """Give the memory of dead arrays, which waits to be used again, back to the system.

    Nothing that is alive changes, and the memory of captured steps stays. The next operations pay for fresh pages.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.empty_cache()
    >>> fc.memory_stats()["cached"]
    0
    """
    release_all()


def memory_stats() -> dict:
    """Return what the memory of kernels is used for, in bytes.

    Returns
    -------
    dict of str to int
        `in_use`: blocks of living arrays and scratch; `cached`: free blocks that wait to be used again, at most
        `cache_limit`; `captured`: free blocks that belong to captured steps; `huge`: the part of these three whose blocks asked
        for huge pages. Blocks are up to a quarter larger than what was asked for; arrays below 4 KiB are NumPy's own.
    """
    return {"in_use": in_use, "cached": cached, "captured": captured, "huge": huge, "cache_limit": CACHE_LIMIT}
