"""tests.ops.gradient_draws: what the families of random gradient checks share: sizes, images, and factories of families.

A family takes a random generator and returns (function of Tensors, float64 inputs); inputs keep away from kinks.
"""

from __future__ import annotations

from fastcnn import manual_seed

from .draws import channels_last, distinct, positive, real


def size(rng, *choices):
    return int(rng.choice(choices or (1, 2, 3, 4, 5, 7, 8, 9)))


def shape(rng, low=0, high=4):
    return tuple(size(rng, 1, 2, 3, 4, 5) for _ in range(int(rng.integers(low, high + 1))))


def images(rng, channels=None, low=1, kind=distinct):
    """An image batch in either memory order."""
    x = kind(
        size(rng, 1, 2, 3), channels or size(rng), low + size(rng, 0, 1, 2, 3, 4), low + size(rng, 0, 1, 2, 3), seed=seed(rng)
    )
    return channels_last(x) if rng.random() < 0.5 else x


def seed(rng) -> int:
    return int(rng.integers(1 << 30))


def flag(rng) -> bool:
    return bool(rng.random() < 0.5)


def elementwise(function, kind=distinct, **options):
    """Options are functions of the generator."""

    def family(rng):
        drawn = {name: draw(rng) for name, draw in options.items()}
        x = images(rng, kind=kind) if flag(rng) else kind(*shape(rng), seed=seed(rng))
        return (lambda x: function(x, **drawn)), (x,)

    return family


def broadcast(function, kind=positive):
    def family(rng):
        full = shape(rng, 1)
        other = tuple(n if flag(rng) else 1 for n in full)[int(rng.integers(len(full) + 1)) :]
        pair = [kind(*full, seed=seed(rng)), kind(*other, seed=seed(rng))]
        return function, tuple(pair if flag(rng) else pair[::-1])

    return family


def reduction(function, kind=real):
    def family(rng):
        x = kind(*shape(rng, 1), seed=seed(rng))
        dim = None if rng.random() < 0.3 else int(rng.integers(-x.ndim, x.ndim))
        keep = flag(rng)
        return (lambda x: function(x, dim, keep)), (x,)

    return family


def along(function):
    def family(rng):
        x = images(rng, kind=real) if flag(rng) else real(*shape(rng, 1), seed=seed(rng))
        dim = int(rng.integers(-x.ndim, x.ndim))
        return (lambda x: function(x, dim)), (x,)

    return family


def pooling(function):
    def family(rng):
        k, stride = size(rng, 1, 2, 3), size(rng, 1, 2, 3)
        options = {"stride": stride, "padding": int(rng.integers(k // 2 + 1)), "ceil_mode": flag(rng)}
        return (lambda x: function(x, k, **options)), (images(rng, low=3),)

    return family


def resized(function, kind=distinct, **options):
    def family(rng):
        out = size(rng, 1, 2, 3, 5), size(rng, 1, 2, 4)
        drawn = {name: draw(rng) for name, draw in options.items()}
        return (lambda x: function(x, out, **drawn)), (images(rng, low=2, kind=kind),)

    return family


def dropped(function):
    """The mask lies in memory as x does: one order only, which the steps of the check keep."""

    def family(rng):
        p, start = rng.uniform(0.1, 0.9), seed(rng)
        return (lambda x: (manual_seed(start), function(x, p))[1]), (real(*shape(rng, 4), seed=seed(rng)),)

    return family


REDUCED = ("mean", "sum", "none")


def loss(function, x=distinct, target=lambda *s, seed: 0.05 * real(*s, seed=seed).round() + 0.025, **options):
    """Differences of x and target stay 0.01 away from zero and from the bounds of the options."""

    def family(rng):
        drawn = {name: draw(rng) for name, draw in options.items()}
        drawn["reduction"] = str(rng.choice(REDUCED))
        s = shape(rng, 1, 3)
        return (lambda x, t: function(x, t, **drawn)), (x(*s, seed=seed(rng)), target(*s, seed=seed(rng)))

    return family


def labelled(function, **options):
    def family(rng):
        classes, rest = size(rng, 2, 3, 17), shape(rng, 0, 2)
        batch = size(rng)
        target = rng.integers(0, classes, (batch, *rest))
        drawn = {name: draw(rng) for name, draw in options.items()}
        weight = positive(classes, seed=seed(rng)) if flag(rng) else None
        how = str(rng.choice(REDUCED))
        x = real(batch, classes, *rest, seed=seed(rng))
        return (lambda x: function(x, target, weight, reduction=how, **drawn)), (x,)

    return family


def layer(make, channels, *, low=1, rank=4):
    """A layer in float64: the gradient of x and of every parameter."""

    def family(rng):
        manual_seed(seed(rng))
        module = make().double()
        names = [name for name, _ in module.named_parameters()]
        x = images(rng, channels=channels, low=low, kind=real)
        x = x if rank == 4 else x.reshape(-1, channels)

        def function(x, *parameters):
            for name, value in zip(names, parameters, strict=True):
                *path, last = name.split(".")
                owner = module
                for part in path:
                    owner = owner[int(part)] if part.isdigit() else getattr(owner, part)
                object.__setattr__(owner, last, value)
            return module(x)

        return function, (x, *(p.data.copy() for p in module.parameters()))

    return family


def uniform(low, high):
    return lambda rng: float(rng.uniform(low, high))
