# kernels.update: the table that a step of an optimizer walks, for loop nests that run the step without Python.

cimport numpy as cnp

from fastcnn.kernels.micro cimport fc_measure, fc_rule, fc_update

cdef struct Parameter:
    char *p             # n values of `item` bytes, one run of memory
    const char *g       # in the same order; NULL: no gradient, the parameter stays
    void *states[3]     # in the same order; NULL where the rule does without
    long long *count    # steps made
    double *product     # of NAdam's momenta; NULL for other rules
    Py_ssize_t n, item, start, head, first
    int group
    bint plain          # neither trust ratio nor weight decay
    fc_update options   # of this step

cdef struct Step:
    Parameter *table
    const fc_update *groups
    fc_rule rules[2]        # of float32 and float64
    fc_measure measures[2]  # NULL: one pass
    double *squares         # two sums of each task of a measure
    Py_ssize_t n, total     # total: elements of all parameters that have a gradient
    int number, threads     # number of the rule

cdef class Update:
    cdef readonly str rule
    cdef int number
    cdef bint busy
    cdef Py_ssize_t n
    cdef int n_groups
    cdef Parameter *table
    cdef fc_update *groups
    cdef list bound, kept, elsewhere
    cdef object state_of(self, dict state, name, cnp.ndarray p)
    cpdef list aim(self, list data, list grads, list states)
    cdef int emit_step(self, list grads, int threads) except -1
