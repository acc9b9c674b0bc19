"""sklearn.classifier: a convolutional network as a classifier of scikit-learn."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import data, optim, rng, threads, train
from ..autograd import Tensor, no_grad
from ..errors import ArgumentError
from ..nn import functional as F
from .images import Images, as_images, checked_weight, shape_of, weighted
from .net import small_net

OPTIMIZERS = {"adam": optim.AdamW, "sgd": optim.SGD}
_training = threading.RLock()  # initialisation and dropout draw from one generator
_BATCH = 256  # images of one forward pass of predict


def _weighted_loss(logits, shares):
    return -(F.log_softmax(logits, 1) * Tensor(shares)).sum() / len(shares)


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """Classify images with a convolutional network.

    Parameters
    ----------
    model : callable, optional
        `model(channels, height, width, classes) -> Module` that gives logits (n, classes); `small_net` without it.
    image_shape : tuple (channels, height, width), optional
        What the rows of a two-dimensional X are; without it a square image of one channel if the number of features is a
        square, or else one line of pixels. X may also be (n, channels, height, width).
    optimizer : {"adam", "sgd"}
        AdamW, or SGD with Nesterov momentum 0.9.
    lr, weight_decay : float
        The learning rate falls to zero along a cosine.
    epochs, batch_size : int
    early_stopping : bool
        Hold out `validation_fraction` of the samples, stop after `patience` epochs without a smaller loss on them, and keep the
        weights of the best epoch.
    validation_fraction : float
    patience : int
    random_state : int, RandomState or None
        Decides initialisation and order. The same int gives the same weights, for any number of threads.
    n_threads : int, optional
        Threads of the kernels during `fit` and `predict`; without it those that are set.
    verbose : bool
        Print a line per epoch.

    Attributes
    ----------
    classes_ : ndarray (classes,)
    image_shape_ : tuple
    model_ : Module
    history_ : train.History
    mean_, scale_ : ndarray (channels, 1, 1)
        Of the samples of the first `fit` or `partial_fit`; X is normalised by them.

    Notes
    -----
    Pickles (as joblib and GridSearchCV make them) hold parameters and weights as arrays; the network is made again by `model`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastcnn.sklearn import CNNClassifier
    >>> x, y = load_digits(return_X_y=True)
    >>> bool(CNNClassifier(epochs=5, random_state=0).fit(x[:1000], y[:1000]).score(x[1000:], y[1000:]) > 0.9)
    True
    """

    def __init__(
        self,
        model=None,
        *,
        image_shape=None,
        optimizer="adam",
        lr=0.005,
        weight_decay=1e-4,
        epochs=30,
        batch_size=32,
        early_stopping=False,
        validation_fraction=0.1,
        patience=5,
        random_state=None,
        n_threads=None,
        verbose=False,
    ):
        self.model = model
        self.image_shape = image_shape
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None):
        """Train a new network on X and y, and return the estimator.

        `sample_weight` (n,) multiplies the loss of each sample; samples of weight zero are left out.
        """
        X, y, sample_weight = self._checked(X, y, sample_weight, reset=True)
        self.classes_, labels = np.unique(y, return_inverse=True)
        with self._session():
            self._begin(X)
            self._train(X, labels, sample_weight, self.epochs, self.early_stopping)
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on X and y, from where the last call ended; the first call needs all `classes`."""
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ArgumentError("CNNClassifier: classes must be given to the first call of partial_fit")
        X, y, sample_weight = self._checked(X, y, sample_weight, reset=first)
        if first:
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(f"CNNClassifier: classes={classes!r} are not those of the first call, {self.classes_}")
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ArgumentError(f"CNNClassifier: y has the labels {unknown}, which are not in classes={self.classes_}")
        with self._session():
            if first:
                self._begin(X)
            self._train(X, np.searchsorted(self.classes_, y), sample_weight, 1, False)
        return self

    def predict_proba(self, X):
        """Return the probability of each class: an array (n, classes), columns in the order of `classes_`."""
        logits = self._logits(X).astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the most probable class of each sample."""
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def _checked(self, X, y, sample_weight, reset: bool):
        X, y = validate_data(self, X, y, dtype=[np.float32, np.float64], allow_nd=True, reset=reset)
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = checked_weight(sample_weight, len(X))
            kept = sample_weight > 0
            X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
        if self.optimizer not in OPTIMIZERS:
            raise ArgumentError(f"CNNClassifier: optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        return X, y, sample_weight

    @contextmanager
    def _session(self):
        """Set the thread count and keep the global generator for this estimator; afterwards both are as before."""
        with _training, _threads(self.n_threads):
            state = rng.get_state()
            try:
                yield
            finally:
                rng.set_state(state)

    def _begin(self, X) -> None:
        """Make network, optimizer and normalisation for the shape of X."""
        self.image_shape_ = shape_of(X, self.image_shape)
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        images = as_images(X, self.image_shape_)
        self.mean_ = images.mean(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)[:, None, None]
        scale = images.std(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)[:, None, None]
        self.scale_ = np.where(scale > 0, scale, np.float32(1))
        self._passes = 0
        self._make()

    def _make(self) -> None:
        rng.manual_seed(self._seed)
        self.model_ = (small_net if self.model is None else self.model)(*self.image_shape_, len(self.classes_))
        options = {"momentum": 0.9, "nesterov": True} if self.optimizer == "sgd" else {}
        make = OPTIMIZERS[self.optimizer]
        self._optimizer = make(self.model_.parameters(), lr=self.lr, weight_decay=self.weight_decay, **options)

    def _normalized(self, X) -> np.ndarray:
        return (as_images(X, self.image_shape_) - self.mean_) / self.scale_

    def _train(self, X, labels, weight, epochs: int, early: bool) -> None:
        x, callbacks, validation = self._normalized(X), [], None
        index = np.arange(len(x))
        if early:
            counts = np.bincount(labels, minlength=2)
            stratify = labels if counts[counts > 0].min() > 1 and self.validation_fraction * len(x) >= len(counts) else None
            index, held_out = train_test_split(
                index, test_size=self.validation_fraction, random_state=self._seed, stratify=stratify
            )
            validation = Images(x[held_out], labels[held_out])
            callbacks = [train.EarlyStop("validation_loss", patience=self.patience, restore_best=True)]
        target = labels if weight is None else weighted(labels, weight, len(self.classes_))
        loader = data.DataLoader(Images(x[index], target[index]), self.batch_size, shuffle=True, seed=self._seed + self._passes)
        schedule = optim.lr_scheduler.CosineAnnealingLR(self._optimizer, epochs * len(loader)) if epochs > 1 else None
        rng.manual_seed(self._seed + self._passes)
        self.history_ = train.fit(
            self.model_,
            loader,
            self._optimizer,
            epochs=epochs,
            schedule=schedule,
            loss=None if weight is None else _weighted_loss,
            validation=validation,
            callbacks=callbacks,
            progress="lines" if self.verbose else False,
        )
        self._passes += 1
        self.model_.eval()

    def _logits(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float32, np.float64], allow_nd=True, reset=False)
        x = self._normalized(X)
        with _threads(self.n_threads), no_grad():
            return np.concatenate([self.model_(Tensor(x[i : i + _BATCH])).numpy() for i in range(0, len(x), _BATCH)])

    def __getstate__(self) -> dict:
        """Return parameters and arrays: what Python's own protocol needs to copy the estimator."""
        state = super().__getstate__()
        if "model_" in state:
            state = {**state, "model_": {name: tensor.numpy().copy() for name, tensor in self.model_.state_dict().items()}}
            state["_optimizer"] = self._optimizer.state_dict()
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        if "model_" in state:
            weights, optimizer = state["model_"], state["_optimizer"]
            with self._session():
                self._make()
            self.model_.load_state_dict(weights)
            self.model_.eval()
            self._optimizer.load_state_dict(optimizer)


@contextmanager
def _threads(count: int | None):
    before = threads.get_num_threads()
    if count is not None:
        threads.set_num_threads(count)
    try:
        yield
    finally:
        if count is not None:
            threads.set_num_threads(before)
