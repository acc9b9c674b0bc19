"""tests.kernels.rules: the rules of kernels.update in NumPy, by their formulas.

Each changes the parameter p and its states s from the gradient g, in place.
"""

from __future__ import annotations

import numpy as np


def sgd(p, g, s, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, first=False):
    d = g + weight_decay * p
    if momentum:
        s["buf"][...] = d if first else momentum * s["buf"] + (1 - dampening) * d
        d = d + momentum * s["buf"] if nesterov else s["buf"]
    p -= lr * d


def rmsprop(p, g, s, *, lr, beta2, eps, momentum=0.0, weight_decay=0.0, centered=False):
    d = g + weight_decay * p
    s["square"][...] = beta2 * s["square"] + (1 - beta2) * d * d
    square = s["square"]
    if centered:
        s["mean"][...] = beta2 * s["mean"] + (1 - beta2) * d
        square = square - s["mean"] ** 2
    d = d / (np.sqrt(square) + eps)
    if momentum:
        s["buf"][...] = momentum * s["buf"] + d
        d = s["buf"]
    p -= lr * d


def adam(p, g, s, *, step, lr, beta1, beta2, eps, weight_decay=0.0, decoupled=False, amsgrad=False):
    if decoupled:
        p *= 1 - lr * weight_decay
    d = g if decoupled else g + weight_decay * p
    s["m"][...] = beta1 * s["m"] + (1 - beta1) * d
    s["v"][...] = beta2 * s["v"] + (1 - beta2) * d * d
    v = s["v"]
    if amsgrad:
        s["largest"][...] = np.maximum(s["largest"], v)
        v = s["largest"]
    p -= lr / (1 - beta1**step) * s["m"] / (np.sqrt(v) / np.sqrt(1 - beta2**step) + eps)


def nadam(p, g, s, *, step, lr, beta1, beta2, eps, momentum_decay, weight_decay=0.0):
    mu, *ahead = (beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in range(1, step + 2))
    product = np.prod([mu, *ahead[:-1]])
    d = g + weight_decay * p
    s["m"][...] = beta1 * s["m"] + (1 - beta1) * d
    s["v"][...] = beta2 * s["v"] + (1 - beta2) * d * d
    now = ahead[-2] if step > 1 else mu
    along = (1 - now) / (1 - product) * d + ahead[-1] / (1 - product * ahead[-1]) * s["m"]
    p -= lr * along / (np.sqrt(s["v"] / (1 - beta2**step)) + eps)


def adagrad(p, g, s, *, step, lr, eps, lr_decay=0.0, weight_decay=0.0):
    d = g + weight_decay * p
    s["sum"][...] += d * d
    p -= lr / (1 + (step - 1) * lr_decay) * d / (np.sqrt(s["sum"]) + eps)


def norm(x):
    return np.sqrt(np.sum(x * x))


def ratio(a, b):
    return a / b if a > 0 and b > 0 else 1.0


def lars(p, g, s, *, trust_coefficient, eps, weight_decay=0.0, **options):
    trust = ratio(trust_coefficient * norm(p), norm(g) and norm(g) + weight_decay * norm(p) + eps)
    sgd(p, trust * (g + weight_decay * p), s, **options)


def lamb(p, g, s, *, step, lr, beta1, beta2, eps, weight_decay=0.0):
    u = np.zeros_like(p)
    adam(u, g, s, step=step, lr=-1.0, beta1=beta1, beta2=beta2, eps=eps)
    u += weight_decay * p
    p -= lr * ratio(norm(p), norm(u)) * u


STATES = {
    "sgd": ("buf",),
    "rmsprop": ("square", "mean", "buf"),
    "adam": ("m", "v", "largest"),
    "nadam": ("m", "v"),
    "adagrad": ("sum",),
    "lars": ("buf",),
    "lamb": ("m", "v"),
}
TRUTH = {f.__name__: f for f in (sgd, rmsprop, adam, nadam, adagrad, lars, lamb)}
