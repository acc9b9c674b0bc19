"""bench.tile: the convolution micro-kernel on one padded image, with the image's layout given by strides.

This asks one question only: what does the same arithmetic cost when the memory is NHWC, NCHWc or NCHW? The loop nest around
it (borders, threads) is left out, so that the layouts differ in nothing else. One thread.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from fastcnn import cpu
from fastcnn.kernels import micro

Size = ctypes.c_ssize_t
Pointer = ctypes.c_void_p


class Job(ctypes.Structure):
    """fc_tile_job of fastcnn/kernels/ukr/ukr.h."""

    _fields_ = (
        *((name, Pointer) for name in ("c", "a", "b", "bias", "seg")),
        *((name, Size) for name in ("nseg", "kseg", "rows", "cols", "n", "c_row", "ldc", "a_row", "lda", "ka", "ldb")),
        ("accumulate", ctypes.c_int),
        ("epilogue", ctypes.c_void_p),  # none
    )


class Table(ctypes.Structure):
    """The head of fc_ukr in fastcnn/kernels/ukr/ukr.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        *((name, Size) for name in ("item", "lanes", "mr", "nr")),
        ("tile_rows", ctypes.CFUNCTYPE(None, ctypes.POINTER(Job))),
    )


def table() -> Table:
    """Return the float32 micro-kernels of the instruction set in use."""
    find = ctypes.CDLL(micro.__file__).fc_ukr_table
    find.argtypes, find.restype = (ctypes.c_int, ctypes.c_int), ctypes.POINTER(Table)
    return find(cpu.level(), 4).contents


def nhwc(padded: np.ndarray, kernel: int):
    """Return (image, segments, segment length, row stride, pixel stride, depth stride, axes of the packed weight).

    A kernel row is one run of kernel * channels numbers. `padded` is (height, width, channels).
    """
    _, width, channels = padded.shape
    segments = [r * width * channels for r in range(kernel)]
    return padded, segments, kernel * channels, width * channels, channels, 1, "rsc"


def nchwc(padded: np.ndarray, kernel: int, block: int):
    """The same for blocks of `block` channels: an image of `block` channels per block, one after the other."""
    height, width, channels = padded.shape
    blocked = np.ascontiguousarray(padded.reshape(height, width, channels // block, block).transpose(2, 0, 1, 3))
    segments = [(c * height + r) * width * block for c in range(channels // block) for r in range(kernel)]
    return blocked, segments, kernel * block, width * block, block, 1, "brsc"


def nchw(padded: np.ndarray, kernel: int):
    """The same for planes: the channels of a pixel are a plane apart, so each tap is a run of its own."""
    height, width, _ = padded.shape
    planes = np.ascontiguousarray(padded.transpose(2, 0, 1))
    segments = [r * width + s for r in range(kernel) for s in range(kernel)]
    return planes, segments, padded.shape[2], width, 1, height * width, "rsc"


def convolution(layout, w: np.ndarray, out: np.ndarray, out_panel: int, out_pixel: int) -> Callable[[], np.ndarray]:
    """Return a call that convolves one image (stride 1) into `out`, panel after panel of output channels.

    `w` is (co, ci, k, k); `out` is (co / nr, oh, ow, nr) or (oh, ow, co); `out_panel` and `out_pixel` are its strides in
    elements from panel to panel and from pixel to pixel.
    """
    image, segments, length, row, pixel, depth, axes = layout
    kernels = table()
    co, ci, kh, kw = w.shape
    block = image.shape[-1] if axes == "brsc" else ci
    # (co / nr, nr, ci / block, block, kh, kw) -> (co / nr, ci / block, kh, kw, block, nr)
    packed = np.ascontiguousarray(w.reshape(co // kernels.nr, kernels.nr, ci // block, block, kh, kw).transpose(0, 2, 4, 5, 3, 1))
    seg = np.array(segments, np.intp)
    oh, ow = (out.shape[1:3]) if out.ndim == 4 else out.shape[:2]
    jobs = [
        Job(
            c=out.ctypes.data + 4 * p * out_panel,
            a=image.ctypes.data,
            b=packed[p].ctypes.data,
            seg=seg.ctypes.data,
            nseg=len(seg),
            kseg=length,
            rows=oh,
            cols=ow,
            n=kernels.nr,
            c_row=ow * out_pixel,
            ldc=out_pixel,
            a_row=row,
            lda=pixel,
            ka=depth,
            ldb=kernels.nr,
        )
        for p in range(co // kernels.nr)
    ]

    def run(held=(image, packed, seg)) -> np.ndarray:  # the jobs know addresses only: something must own the arrays
        for job in jobs:
            kernels.tile_rows(ctypes.byref(job))
        return out

    return run
