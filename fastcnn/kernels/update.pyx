"""kernels.update: one step of an optimizer over a list of parameters, in place, in one pass over memory.

Arrays are walked as flat memory: a gradient, and a state that is laid out otherwise, are first brought into the memory order
of the parameter. The formulas are PyTorch's. The parameters lie end to end in one list, which is cut into tasks that depend on
nothing but the arrays; each thread gets one range of it, the same at each step, so that it keeps its part in its caches. Each
value is computed alone: the same bits for every number of threads.

What a step needs beside the arrays stands in memory: options of a group, which `set_options` writes, and counts of steps, which
the step itself raises. So `run` can be repeated without Python; a captured step does so with a table of its own.
"""

import numpy as np

cimport numpy as cnp
from cython.parallel cimport parallel, prange
from libc.math cimport pow, sqrt
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from fastcnn.errors import ArgumentError, DtypeError, ShapeError, StateError

from fastcnn.kernels.entry cimport emit, fc_flush, fc_restore, recording, unrecorded
from fastcnn.kernels.layout import to_contiguous
from fastcnn.kernels.memory cimport Block, block
from fastcnn.kernels.micro cimport fc_measure, fc_rule, fc_ukr, fc_update, table
from fastcnn.kernels.strided cimport copy_into, empty_in_order_of, fits, is_dense, same_order

cnp.import_array()

cdef enum:
    RUN = 4096       # values of one task: 16 KiB of each array
    SERIAL = 49152   # values; below this, a second thread costs more than it brings (equal at 32768 to 65536, SGD and Adam)
    MAX_THREADS = 256  # as in fastcnn.threads
    SGD, RMSPROP, ADAM, NADAM, ADAGRAD, LARS, LAMB

RULES = {"sgd": SGD, "rmsprop": RMSPROP, "adam": ADAM, "nadam": NADAM, "adagrad": ADAGRAD, "lars": LARS, "lamb": LAMB}
# Each rule: its states, and how many of them it cannot do without.
N_STATES = {"sgd": 1, "rmsprop": 3, "adam": 3, "nadam": 2, "adagrad": 1, "lars": 1, "lamb": 2}
N_NEEDED = {"sgd": 0, "rmsprop": 1, "adam": 2, "nadam": 2, "adagrad": 1, "lars": 0, "lamb": 2}


cdef cnp.ndarray in_order_of(cnp.ndarray a, cnp.ndarray p):
    """`a`, of the shape and dtype of p, in the memory order of p: itself, or a copy."""
    cdef cnp.ndarray out
    if same_order(a, p) and cnp.PyArray_ISALIGNED(a):
        return a
    if a.ndim == 4 and cnp.PyArray_IS_C_CONTIGUOUS(p):
        return to_contiguous(a)
    out = empty_in_order_of(p, cnp.PyArray_TYPE(p))
    copy_into(out, a, 1)
    return out


cdef inline Py_ssize_t head_of(const char *p, Py_ssize_t item) noexcept nogil:
    """Values before the first boundary of a cache line. NumPy's arrays start between two: vectors that cross lines cost twice
    the time here (measured: 574 against 303 us for SGD on 2.4 million values).
    """
    return (64 - <size_t>p % 64) % 64 // item


cdef inline Py_ssize_t next_task(Py_ssize_t place, Py_ssize_t head) noexcept nogil:
    """Where the first task that starts at `place` or behind it begins: tasks are the head, then runs."""
    return 0 if place <= 0 else head if place <= head else head + (place - head + RUN - 1) // RUN * RUN


cdef class Update:
    """A step of the optimizer `rule` over `n` parameters in `groups` groups.

    `bind` makes a parameter and its states known, once; `set_options` writes the options of a group; `step` checks that the
    arrays are still those, takes the gradients and runs. `RULES` lists the rules; "lars" and "lamb" walk the parameters twice,
    first for the norms of each, which are summed in a fixed order.
    """

    def __cinit__(self, str rule, Py_ssize_t n, int groups):
        if rule not in RULES:
            raise ArgumentError(f"Update: rule must be one of {', '.join(RULES)}, got {rule!r}")
        self.rule, self.number, self.n, self.n_groups = rule, RULES[rule], n, groups
        self.table = <Parameter *>calloc(max(n, 1), sizeof(Parameter))
        self.groups = <fc_update *>calloc(max(groups, 1), sizeof(fc_update))
        if self.table == NULL or self.groups == NULL:
            raise MemoryError(f"Update: no memory for a table of {n} parameters")
        self.bound = [None] * n  # (parameter, dict of states, names, arrays) of each
        self.elsewhere = []      # (parameter, its dense copy) where the parameter has holes

    def __dealloc__(self):
        free(self.table)
        free(self.groups)

    def set_options(self, int group, *, double lr, double weight_decay=0.0, double eps=0.0, double momentum=0.0,
                    double dampening=0.0, double beta1=0.0, double beta2=0.0, double lr_decay=0.0, double momentum_decay=0.0,
                    double trust_coefficient=1.0, bint nesterov=False, bint decoupled=False, bint maximize=False):
        """Write the options of a group; they hold for all steps until the next call. `beta2` is RMSprop's alpha."""
        if not 0 <= group < self.n_groups:
            raise ArgumentError(f"set_options: group must be from 0 to {self.n_groups - 1}, got {group}")
        cdef fc_update *o = &self.groups[group]
        o.lr, o.weight_decay, o.eps, o.momentum, o.dampening = lr, weight_decay, eps, momentum, dampening
        o.beta1, o.beta2, o.nesterov, o.decoupled, o.maximize = beta1, beta2, nesterov, decoupled, maximize
        o.lr_decay, o.momentum_decay, o.trust_coefficient, o.trust = lr_decay, momentum_decay, trust_coefficient, 1.0

    def bind(self, Py_ssize_t i, int group, p, dict state, tuple names, count, product=None, bint plain=False):
        """Let parameter i be the array p, with the arrays `state[name]` as its states (a name may be None: not used).

        States in another memory order than p are replaced in `state`. `count`, an int64 array of one value, is the number of
        steps made; each step raises it. `product`, a float64 array of one value, is NAdam's product of momenta so far. `plain`
        switches trust ratio and weight decay off.

        Raises DtypeError, ShapeError or ArgumentError for arrays that no step can change.
        """
        cdef Parameter *e
        cdef cnp.ndarray a = p, worked
        if self.busy or not 0 <= i < self.n or not 0 <= group < self.n_groups or len(names) > 3:
            raise ArgumentError(f"bind: no parameter {i} of group {group} with {len(names)} states here, or a step is running")
        if a.dtype.char not in "fd" or not a.dtype.isnative:
            raise DtypeError(f"{self.rule}: the parameter must be float32 or float64, got {a.dtype}")
        if not a.flags.writeable:
            raise ArgumentError(f"{self.rule}: the parameter is read-only (shape {np.shape(a)})")
        if a.ndim > 32:
            raise ShapeError(f"{self.rule}: the parameter has {a.ndim} axes, the most is 32")
        for one, name, dtype in ((count, "count of steps", "int64"), (product, "product of momenta", "float64")):
            needed = one is not None or dtype == "int64" or self.number == NADAM
            if needed and (one is None or one.dtype != dtype or one.size != 1 or not one.flags.writeable):
                raise ArgumentError(f"{self.rule}: the {name} must be one writeable {dtype}, got {one!r}")
        if len(names) < N_STATES[self.rule] or None in names[:N_NEEDED[self.rule]]:
            raise ArgumentError(f"{self.rule}: needs {N_NEEDED[self.rule]} of {N_STATES[self.rule]} states, got {names}")
        worked = a if is_dense(a) and a.flags.aligned else np.array(a, order="K")
        arrays = [self.state_of(state, name, worked) for name in names]
        e = &self.table[i]
        e.p, e.g, e.n, e.item, e.group = cnp.PyArray_BYTES(worked), NULL, a.size, a.itemsize, group
        e.head = 0 if self.number >= LARS else min(e.n, head_of(e.p, e.item))  # norms must not depend on the address
        e.count, e.plain = <long long *>cnp.PyArray_DATA(count), plain
        e.product = NULL if product is None else <double *>cnp.PyArray_DATA(product)
        for k in range(3):
            e.states[k] = NULL if k >= len(arrays) or arrays[k] is None else cnp.PyArray_DATA(<cnp.ndarray>arrays[k])
        self.elsewhere = [pair for pair in self.elsewhere if pair[2] != i]
        if worked is not a:
            self.elsewhere.append((a, worked, i))
        self.bound[i] = (a, state, names, tuple(arrays), count, worked, product)

    cdef object state_of(self, dict state, name, cnp.ndarray p):
        """The array of a state in the memory order of p, which replaces one of another order in the dict."""
        if name is None:
            return None
        a = state[name]
        if not isinstance(a, np.ndarray) or a.dtype != p.dtype or not a.flags.writeable:
            raise ArgumentError(f"{self.rule}: {name} must be a writeable {p.dtype} array, got {getattr(a, 'dtype', type(a))}")
        if not fits(a, p):
            raise ShapeError(f"{self.rule}: {name} must have the shape of the parameter, got {np.shape(a)} and {np.shape(p)}")
        state[name] = in_order_of(a, p)
        return state[name]

    cpdef list aim(self, list data, list grads, list states):
        """Take the gradients of the next step (None: the parameter stays).

        Return the positions that have to be bound first, because the parameter, its gradient's shape or a state is another
        than before; the table is ready to run when there are none.
        """
        cdef Py_ssize_t i, k
        cdef Parameter *e
        cdef cnp.ndarray a, g, worked
        cdef tuple entry, names, arrays
        cdef list stale = []
        if self.busy:
            raise StateError("an optimizer's step is running in another thread")
        if len(data) != self.n or len(grads) != self.n or len(states) != self.n:
            raise ArgumentError(f"aim: {len(data)} parameters, {len(grads)} gradients and {len(states)} states for {self.n}")
        self.kept = [grads]
        for i in range(self.n):
            e = &self.table[i]
            e.g = NULL
            if grads[i] is None:
                continue
            entry = self.bound[i]
            if entry is None or entry[0] is not data[i] or entry[1] is not states[i]:
                stale.append(i)
                continue
            a, g = data[i], grads[i]
            names, arrays = entry[2], entry[3]
            for k in range(len(names)):
                if names[k] is not None and (<dict>entry[1]).get(names[k]) is not arrays[k]:
                    break
            else:
                worked = entry[5]
                if fits(g, a) and cnp.PyArray_ISWRITEABLE(a) and e.p == cnp.PyArray_BYTES(worked) and e.n == worked.size:
                    if not same_order(g, worked) or not cnp.PyArray_ISALIGNED(g):
                        g = in_order_of(g, worked)
                        self.kept.append(g)
                    e.g = cnp.PyArray_BYTES(g)
                    continue
            stale.append(i)
        return stale

    def step(self, list data, list grads, list states, int threads=1):
        """Update every parameter that has a gradient; or change nothing and return the positions to bind first, see `aim`."""
        cdef list stale = self.aim(data, grads, states)
        if stale:
            self.kept = None
            return stale
        if self.elsewhere:
            unrecorded("an optimizer's step on a parameter with holes in its memory")
        for a, worked, _ in self.elsewhere:
            worked[...] = a
        self.busy = True
        try:
            self.emit_step(grads, threads)
        finally:
            self.busy = False
        for a, worked, i in self.elsewhere:
            if grads[i] is not None:
                a[...] = worked
        self.kept = None
        return stale

    cdef int emit_step(self, list grads, int threads) except -1:
        """Run the step; a recording gets a table of its own, since the next step points this one at other gradients."""
        cdef Step p
        cdef Block copy, squares
        cdef int i
        cdef list held = [self]
        p.table, p.groups, p.n, p.threads = self.table, self.groups, self.n, max(1, min(threads, MAX_THREADS))
        p.number = self.number
        for i in range(2):
            p.rules[i], p.measures[i] = rule_of(self.number, 4 << i), measure_of(self.number, 4 << i)
        if p.measures[0] != NULL:
            squares = block(tasks_of(self.table, self.n) * 2 * sizeof(double))
            p.squares = <double *>squares.data
            held.append(squares)
        if recording():
            copy = block(max(self.n, 1) * sizeof(Parameter))
            memcpy(copy.data, self.table, self.n * sizeof(Parameter))
            p.table = <Parameter *>copy.data
            held.append(copy)
            held.extend(self.kept[0])
            held.extend(self.kept[1:])
            for i in range(self.n):
                if grads[i] is not None:
                    held.append(self.bound[i])  # in a tuple: states that this step made stay the optimizer's
        return emit(run, &p, sizeof(p), tuple(held))


cdef Py_ssize_t tasks_of(const Parameter *parameters, Py_ssize_t n) noexcept nogil:
    """Tasks of all parameters, at least 1."""
    cdef Py_ssize_t i, tasks = 1
    for i in range(n):
        tasks += (parameters[i].n + RUN - 1) // RUN
    return tasks


cdef int run(const void *job) noexcept nogil:
    """One step; changes the table that the job points to."""
    cdef Step p = (<const Step *>job)[0]
    p.total = prepare(&p)
    if p.measures[0] != NULL:
        walk(&p, True)
        fold(&p)
    walk(&p, False)
    return 0


cdef void walk(const Step *p, bint measure) noexcept nogil:
    """Run all tasks, of the measure or of the rule."""
    cdef int threads = 1 if p.total < SERIAL else p.threads
    cdef Py_ssize_t t
    cdef unsigned long long floats = 0
    with parallel(num_threads=threads):
        floats = fc_flush()
        for t in prange(threads, schedule="static"):
            share(p, measure, p.total * t // threads, p.total * (t + 1) // threads)
        fc_restore(floats)


cdef Py_ssize_t prepare(const Step *p) noexcept nogil:
    """Raise the counts, work out the options of each parameter, lay the parameters end to end and return their length."""
    cdef Py_ssize_t i, total = 0, tasks = 0
    cdef Parameter *e
    cdef Parameter *last = NULL
    for i in range(p.n):
        e = &p.table[i]
        e.start, e.first = total, tasks
        if e.g == NULL:
            continue
        total += e.n
        tasks += (e.n + RUN - 1) // RUN
        e.count[0] += 1
        if last != NULL and last.group == e.group and last.plain == e.plain and last.count[0] == e.count[0] and e.product == NULL:
            e.options = last.options
        else:
            e.options = p.groups[e.group]
            follow(p.number, &e.options, e.count[0], e.product)
            if e.plain:
                e.options.weight_decay = 0
        last = e
    return total


cdef void share(const Step *p, bint measure, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    """Run the tasks that start at begin <= place < end of the list."""
    cdef Py_ssize_t low = 0, high = p.n, middle, place, stop, at
    cdef double *squares
    cdef int k
    cdef Parameter *e
    cdef void *states[3]
    while high - low > 1:  # the last parameter that starts at `begin` or before
        middle = (low + high) // 2
        if p.table[middle].start <= begin:
            low = middle
        else:
            high = middle
    while low < p.n and p.table[low].start < end:
        e = &p.table[low]
        low += 1
        if e.g == NULL:
            continue
        place = next_task(begin - e.start, e.head)
        while place < e.n and e.start + place < end:
            stop, at = min(e.n, e.head if place < e.head else place + RUN), place * e.item
            for k in range(3):
                states[k] = NULL if e.states[k] == NULL else <char *>e.states[k] + at
            if measure:
                squares = p.squares + 2 * (e.first + place // RUN)
                squares[0] = squares[1] = 0
                p.measures[e.item == 8](e.p + at, e.g + at, states, stop - place, &e.options, squares)
            else:
                p.rules[e.item == 8](e.p + at, e.g + at, states, stop - place, &e.options)
            place = stop


cdef void fold(const Step *p) noexcept nogil:
    """The trust ratio of each parameter from the squares of its tasks."""
    cdef Py_ssize_t i, t
    cdef Parameter *e
    cdef double own, other
    for i in range(p.n):
        e = &p.table[i]
        if e.g == NULL or e.plain:
            continue
        own = other = 0
        for t in range(e.first, e.first + (e.n + RUN - 1) // RUN):
            own += p.squares[2 * t]
            other += p.squares[2 * t + 1]
        own, other = sqrt(own), sqrt(other)
        if own == 0 or other == 0:
            e.options.trust = 1
        elif p.number == LARS:
            e.options.trust = e.options.trust_coefficient * own / (other + e.options.weight_decay * own + e.options.eps)
        else:
            e.options.trust = own / other


cdef void follow(int rule, fc_update *o, long long count, double *product) noexcept nogil:
    """What follows from the count of steps, this one included."""
    cdef double now, then
    o.first = count <= 1
    o.root = 1 / sqrt(1 - pow(o.beta2, count))
    if rule == ADAGRAD:
        o.step = o.lr / (1 + (count - 1) * o.lr_decay)
    elif rule == LAMB:
        o.step = 1 / (1 - pow(o.beta1, count))
    elif rule == NADAM:
        now = o.beta1 * (1 - 0.5 * pow(0.96, count * o.momentum_decay))
        then = o.beta1 * (1 - 0.5 * pow(0.96, (count + 1) * o.momentum_decay))
        product[0] *= now
        o.fresh, o.step = o.lr * (1 - now) / (1 - product[0]), o.lr * then / (1 - product[0] * then)
    else:
        o.step = o.lr / (1 - pow(o.beta1, count))


cdef fc_rule rule_of(int number, Py_ssize_t item) except NULL:
    cdef const fc_ukr *u = table(item)
    if number == RMSPROP:
        return u.rmsprop
    if number == ADAM:
        return u.adam
    if number == NADAM:
        return u.nadam
    if number == ADAGRAD:
        return u.adagrad
    return u.lamb if number == LAMB else u.sgd


cdef fc_measure measure_of(int number, Py_ssize_t item) except? NULL:
    cdef const fc_ukr *u = table(item)
    return u.lars_norms if number == LARS else u.lamb_norms if number == LAMB else NULL
