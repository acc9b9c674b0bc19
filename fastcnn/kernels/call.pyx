"""kernels.call: the way from a public name to a kernel; a small kernel takes less time than a detour through Python."""

cimport numpy as cnp
from cpython.object cimport PyObject

from fastcnn.policy import state
from fastcnn.threads import get_num_threads

cnp.import_array()

cdef extern from "Python.h":
    object PyObject_Vectorcall(object function, PyObject **args, size_t n, object names)

cdef enum:
    MOST = 24  # arguments with their options

cdef tuple THREADS = ("threads",)


cdef object run(object function, tuple args, dict options):
    """Return function(*args, threads=the count in force, **options)."""
    cdef PyObject *values[MOST]
    cdef Py_ssize_t n = len(args), i
    cdef tuple names = THREADS
    cdef object threads = get_num_threads()
    if n + len(options) >= MOST:
        return function(*args, threads=threads, **options)
    for i in range(n):
        values[i] = <PyObject *>args[i]
    values[n] = <PyObject *>threads
    if options:
        names = THREADS + tuple(options)
        for i, value in enumerate(options.values()):
            values[n + 1 + i] = <PyObject *>value
    return PyObject_Vectorcall(function, values, n, names)


cdef inline int kind(object x) noexcept:
    """NumPy's number of the type of a float32 or float64 array, else -1."""
    cdef int number
    if not cnp.PyArray_Check(x):
        return -1
    number = cnp.PyArray_TYPE(x)
    return number if number == cnp.NPY_FLOAT or number == cnp.NPY_DOUBLE else -1


cdef bint floats(tuple args, bint same):
    """Is the first argument of floats, and, where `same`, the second one too, of the same?"""
    cdef int first = kind(args[0]) if args else -1
    return first >= 0 and (not same or (len(args) > 1 and kind(args[1]) == first))


def with_threads(function, tuple args, dict options):
    """Return function(*args, threads=the count in force, **options)."""
    return run(function, args, options)


def public(str op, choose, kernel, bint same):
    """Return the function that runs the implementation that choose(op, args, algorithm) names.

    `kernel`: the compiled function that it names for floats (two arrays of the `same` ones) if nobody asked for another
    algorithm; None where that depends on more.
    """
    def call(*args, **options):
        if kernel is not None and state.blocks == 0 and "algorithm" not in options and floats(args, same):
            return run(kernel, args, options)
        found = choose(op, args, options.pop("algorithm", "auto"))
        return run(found.function, args, options) if found.compiled else found.run(*args, **options)

    return call
