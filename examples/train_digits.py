"""Train LeNet-5 on the bundled digits: the whole training loop, written out."""

import argparse

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import data, models, optim


def accuracy(model, dataset):
    """Return the share of images that the model classifies correctly."""
    model.eval()
    correct = 0
    with fc.no_grad():
        for x, y in data.DataLoader(dataset, batch_size=256):
            predicted = model(x).numpy().argmax(axis=1)
            correct += (predicted == y).sum()
    model.train()
    return correct / len(dataset)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--output", default="digits.safetensors", help="file for the trained model (default: %(default)s)")
args = parser.parse_args()

fc.manual_seed(0)
train_set = data.digits(train=True)
test_set = data.digits(train=False)
loader = data.DataLoader(train_set, batch_size=args.batch_size, shuffle=True, seed=0)

model = models.lenet5(num_classes=10)
optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))

for epoch in range(args.epochs):
    total = 0.0
    for x, y in loader:  # x: images (64, 1, 28, 28), y: labels (64,)
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(y)
    print(f"epoch {epoch + 1}: loss {total / len(train_set):.4f}, test accuracy {accuracy(model, test_set):.2%}")

fc.save(model, args.output)
