# kernels.epilogue: what the loop nests do to a result while they store it.

cimport numpy as cnp

from fastcnn.kernels.micro cimport fc_epilogue

cdef object ask_epilogue(fc_epilogue *e, str op, object bounds, object residual, cnp.ndarray y)
cdef const fc_epilogue *asked(const fc_epilogue *e) noexcept nogil
