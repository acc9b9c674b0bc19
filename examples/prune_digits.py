"""Remove half of the filters of a trained LeNet-5, fine-tune, save the small net, and load it again."""

import argparse

import fastcnn as fc
from fastcnn import data, graph, models, optim, prune, train

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10, help="epochs before pruning")
parser.add_argument("--fine-tuning-epochs", type=int, default=5)
parser.add_argument("--fraction", type=float, default=0.5, help="share of each layer's filters to remove")
parser.add_argument("--output", default="small.safetensors", help="file for the small model (default: %(default)s)")
args = parser.parse_args()


def fit(model, epochs):
    """Train `model` and return its accuracy on the held-out digits."""
    loader = data.DataLoader(data.digits(train=True), batch_size=64, shuffle=True, seed=0)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    schedule = optim.lr_scheduler.LinearDecay(optimizer, total_steps=max(1, epochs * len(loader)))
    train.fit(model, loader, optimizer, epochs=epochs, schedule=schedule, progress="lines")
    return train.evaluate(model, test_set).accuracy


fc.manual_seed(0)
test_set = data.digits(train=False)
example, _ = test_set.batch(slice(0, 1))

model = models.lenet5()
before = fit(model, args.epochs)
print(graph.trace(model, example).summary())

small = prune.filters(model, example, args.fraction)  # a new model; the large one stays as it is
pruned = train.evaluate(small, test_set).accuracy
after = fit(small, args.fine_tuning_epochs)
print(graph.trace(small, example).summary())
print(f"accuracy {before:.2%}, after pruning {pruned:.2%}, after fine-tuning {after:.2%}")

fc.save(small, args.output)
loaded = fc.load(args.output)  # the file holds the structure too: no class, no widths needed
print(f"loaded from {args.output}: accuracy {train.evaluate(loaded, test_set).accuracy:.2%}")
