"""kernels.entry: the one door through which loop nests run, and the record of what went through it.

A kernel's Python function checks its arguments and writes a job, a C struct with pointers, sizes and the count of threads;
`emit` releases the GIL and does the work. While a Recording is on in this thread, the pair (work, job) is kept too: replaying a
step is a loop over such pairs, with one release of the GIL from one Python call to the next and no Python inside.

What makes the addresses in a job valid for ever: memory that the step itself allocates comes from the recording's Arena, which
nobody else uses; whatever lies outside is held. Nothing else may stand in a job; a table that Python fills before `emit` is
`held`, too.
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
    static __thread PyObject *fc_recording = NULL; /* borrowed: `stop` clears it */
    """
    PyObject *fc_recording

cdef struct Op:
    Work work
    void *job


cdef class Recording:
    """The kernel calls of one step, in their order, and the memory that they work in.

    Attributes
    ----------
    refused : str or None
        What ran meanwhile and cannot be replayed; the first such thing.
    """

    cdef Op *ops
    cdef Py_ssize_t count, room
    cdef Arena arena
    cdef dict held       # id -> object outside the arena that a job points to
    cdef dict explains   # number of an op -> function that raises when the op stops
    cdef list calls      # (number of the op before which it runs, function, repeatable)
    cdef public object refused

    def __cinit__(self):
        self.ops = NULL
        self.count = self.room = 0
        self.arena = Arena()
        self.held, self.explains, self.calls = {}, {}, []

    def __dealloc__(self):
        self.forget()

    cdef void forget(self) noexcept:
        cdef Py_ssize_t i
        for i in range(self.count):
            free(self.ops[i].job)
        free(self.ops)
        self.ops = NULL
        self.count = self.room = 0

    cdef int add(self, Work work, const void *job, size_t size, tuple held, object explain) except -1:
        cdef Op *ops = self.ops
        cdef void *copy
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

    def __len__(self):
        return self.count

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

    def stop(self):
        """End the recording in this thread."""
        global fc_recording
        if fc_recording == <PyObject *>self:
            fc_recording = NULL
            use_arena(None)

    def close(self):
        """Forget the calls and let go of all memory."""
        self.stop()
        self.forget()
        self.arena.close()
        self.held, self.explains, self.calls = {}, {}, []

    def owns(self, array):
        """Say whether the memory of `array` was allocated by the step."""
        while isinstance(array, np.ndarray):
            array = array.base
        return isinstance(array, Block) and (<Block>array).arena is self.arena

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


def float_state():
    """Return the floating-point control and status of this thread (MXCSR; FPCR and FPSR on arm64)."""
    return fc_floats()
