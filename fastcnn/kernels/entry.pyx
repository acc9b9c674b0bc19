"""kernels.entry: the one door through which loop nests run, and the record of what went through it.

A kernel's Python function checks its arguments and writes a job, a C struct with pointers, sizes and the count of threads;
`emit` releases the GIL and does the work. While a Recording is on in this thread, the pair (work, job) is kept too: replaying a
step is a loop over such pairs, with one release of the GIL from one Python call to the next and no Python inside.

What makes the addresses in a job valid for ever: memory that the step itself allocates comes from the recording's Arena, which
nobody else uses; whatever lies outside is held. Nothing else may stand in a job. A table that Python fills before `emit` is
`held`, too: a Block is filled again at each replay, since what ran before it in the step may have had its memory; arrays of
NumPy's stand in a tuple of their own, to tell them from data.
"""

import numpy as np

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from fastcnn.errors import StateError

from fastcnn.kernels.memory cimport Arena, Block, use_arena

cnp.import_array()

cdef extern from "floats.h" nogil:
    unsigned long long fc_floats()

cdef extern from *:
    """
    #ifndef PyDataMem_SetHandler /* hidden from code that would run with NumPy before 1.22 */
    #define PyDataMem_SetHandler (*(PyObject * (*)(PyObject *)) PyArray_API[304])
    #endif
    static __thread PyObject *fc_recording = NULL; /* borrowed: `stop` clears it */
    /* NumPy's memory as ever, under a name of ours: an array tells whether it was made while a recording was on. */
    static void *fc_np_malloc(void *ctx, size_t size) { (void)ctx; return malloc(size); }
    static void *fc_np_calloc(void *ctx, size_t n, size_t size) { (void)ctx; return calloc(n, size); }
    static void *fc_np_realloc(void *ctx, void *p, size_t size) { (void)ctx; return realloc(p, size); }
    static void fc_np_free(void *ctx, void *p, size_t size) { (void)ctx; (void)size; free(p); }
    static PyDataMem_Handler fc_np_memory = {"fastcnn", 1, {NULL, fc_np_malloc, fc_np_calloc, fc_np_realloc, fc_np_free}};
    static PyObject *fc_new_memory(void) { return PyCapsule_New(&fc_np_memory, "mem_handler", NULL); }
    static PyObject *fc_use_memory(PyObject *memory) { return PyDataMem_SetHandler(memory); }
    static int fc_made_in(PyObject *array, PyObject *memory)
    {
        return ((PyArrayObject_fields *)array)->mem_handler == memory;
    }
    """
    PyObject *fc_recording
    object fc_new_memory()
    object fc_use_memory(object memory)
    bint fc_made_in(object array, object memory)

cdef struct Op:
    Work work
    void *job


cdef struct Refill:
    char *to
    size_t size  # of what follows in memory


cdef int refill_table(const void *job) noexcept nogil:
    cdef const Refill *p = <const Refill *>job
    memcpy(p.to, p + 1, p.size)
    return 0


cdef class Recording:
    """The kernel calls of one step, in their order, and the memory that they work in.

    Attributes
    ----------
    refused : str or None
        What ran meanwhile and cannot be replayed; the first such thing.
    guards : list of callable
        Each returns None, or the reason why the recording does not fit any more.
    """

    cdef Op *ops
    cdef Py_ssize_t count, room, tables  # ops, room for them, and how many only fill tables
    cdef Arena arena
    cdef dict held       # id -> object outside the arena that a job points to
    cdef dict explains   # number of an op -> function that raises when the op stops
    cdef list calls      # (number of the op before which it runs, function, repeatable)
    cdef public object refused
    cdef readonly list guards
    cdef object memory, outer  # NumPy's allocators: of arrays made while this records, and the one before

    def __cinit__(self):
        self.ops = NULL
        self.count = self.room = self.tables = 0
        self.arena = Arena()
        self.memory = fc_new_memory()
        self.held, self.explains, self.calls, self.guards = {}, {}, [], []

    def __dealloc__(self):
        self.forget()

    cdef void forget(self) noexcept:
        cdef Py_ssize_t i
        for i in range(self.count):
            free(self.ops[i].job)
        free(self.ops)
        self.ops = NULL
        self.count = self.room = self.tables = 0

    cdef int add(self, Work work, const void *job, size_t size, tuple held, object explain) except -1:
        cdef Op *ops
        cdef void *copy
        for thing in held:
            if isinstance(thing, Block) and (<Block>thing).arena is self.arena:
                self.refill(<Block>thing)
        ops = self.ops
        if self.count == self.room:
            ops = <Op *>realloc(self.ops, (2 * self.room + 64) * sizeof(Op))
            if ops == NULL:
                raise MemoryError("fastcnn: no memory for a captured step")
            self.ops, self.room = ops, 2 * self.room + 64
        copy = malloc(size)
        if copy == NULL:
            raise MemoryError("fastcnn: no memory for a captured step")
        memcpy(copy, job, size)
        ops[self.count].work, ops[self.count].job = work, copy
        for thing in held:
            if thing is not None and not (isinstance(thing, np.ndarray) and self.owns(thing)):
                self.held[id(thing)] = thing
        if explain is not None:
            self.explains[self.count] = explain
        self.count += 1
        return 0

    cdef int refill(self, Block table) except -1:
        """Have a replay write to `table` what stands in it now."""
        cdef size_t size = table.size()
        cdef Refill *job = <Refill *>malloc(sizeof(Refill) + size)
        if job == NULL:
            raise MemoryError("fastcnn: no memory for a captured step")
        job.to, job.size = table.data, size
        memcpy(job + 1, table.data, size)
        try:
            self.add(refill_table, job, sizeof(Refill) + size, (), None)
        finally:
            free(job)
        self.tables += 1
        return 0

    def __len__(self):
        return self.count - self.tables

    @property
    def size(self):
        """Bytes of memory that the step works in, what lies outside not counted."""
        return self.arena.size

    @property
    def outside(self):
        """The arrays that the step reads or writes and did not make."""
        return [thing for thing in self.held.values() if isinstance(thing, np.ndarray)]

    def start(self):
        """Record what this thread runs from now on."""
        global fc_recording
        if fc_recording != NULL:
            raise StateError("capture: this thread is recording another step")
        fc_recording = <PyObject *>self
        use_arena(self.arena)
        self.outer = fc_use_memory(self.memory)

    def stop(self):
        """End the recording in this thread."""
        global fc_recording
        if fc_recording == <PyObject *>self:
            fc_recording = NULL
            use_arena(None)
            fc_use_memory(self.outer)

    def close(self):
        """Forget the calls and let go of all memory."""
        self.stop()
        self.forget()
        self.arena.close()
        self.held, self.explains, self.calls, self.guards = {}, {}, [], []

    def owns(self, array):
        """Say whether the memory of `array` was allocated by the step."""
        while isinstance(array, np.ndarray):
            array = array.base
        return isinstance(array, Block) and (<Block>array).arena is self.arena

    def foreign(self, array):
        """Say whether NumPy, not a kernel, allocated the memory of `array` while this was recording."""
        while isinstance(array.base, np.ndarray):
            array = array.base
        return fc_made_in(array, self.memory)

    def call(self, function, bint repeatable=False):
        """Have `function()` run at this place of each replay; `repeatable`: it only fills memory of the step."""
        self.calls.append((self.count, function, repeatable))

    def replay(self, bint effects=True):
        """Run all of it again; without `effects` only the repeatable ones of the Python functions."""
        cdef Py_ssize_t done = 0, until
        for until, function, repeatable in self.calls:
            if effects or repeatable:
                self.run(done, until)
                done = until
                function()
        self.run(done, self.count)

    cdef int run(self, Py_ssize_t first, Py_ssize_t last) except -1:
        cdef Py_ssize_t i = first
        with nogil:
            while i < last and self.ops[i].work(self.ops[i].job) == 0:
                i += 1
        if i < last:
            self.explains[i]()
            raise StateError("capture: the step stopped and cannot say why")
        return 0


cdef bint recording() noexcept:
    """Is this thread recording?"""
    return fc_recording != NULL


cdef void unrecorded(str what) noexcept:
    """Say that `what` runs in this thread without `emit`: a recording of it is of no use."""
    if fc_recording != NULL and (<Recording>fc_recording).refused is None:
        (<Recording>fc_recording).refused = what


cdef int emit(Work work, const void *job, size_t size, tuple held, object explain=None) except -1:
    """Do the work of a job of `size` bytes without the GIL; `held`: the arrays that it points to, inputs and outputs.

    Scratch need not be held. `explain()` raises the error when the work stops.
    """
    cdef int stopped
    if fc_recording != NULL:
        (<Recording>fc_recording).add(work, job, size, held, explain)
    with nogil:
        stopped = work(job)
    if stopped:
        explain()
    return 0


def current():
    """Return the Recording that is on in this thread, or None."""
    return None if fc_recording == NULL else <Recording>fc_recording


def refuse(str what):
    """Say that `what` runs in this thread and cannot be replayed."""
    unrecorded(what)


def call(function, bint repeatable=False):
    """Have `function()` run at this place when the step of this thread is replayed; nothing without a recording."""
    if fc_recording != NULL:
        (<Recording>fc_recording).call(function, repeatable)


def guard(function):
    """Have `function()` say before each replay whether the recording of this thread still fits, see Recording.guards."""
    if fc_recording != NULL:
        (<Recording>fc_recording).guards.append(function)


def float_state():
    """Return the floating-point control and status of this thread (MXCSR; FPCR and FPSR on arm64)."""
    return fc_floats()
