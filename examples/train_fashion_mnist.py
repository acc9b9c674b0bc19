"""Train a net of five 3x3 convolutions on Fashion-MNIST: random flips, label smoothing, a one-cycle learning rate."""

import argparse
import time

import fastcnn as fc
import fastcnn.nn.functional as F
from fastcnn import data, models, optim


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.2, help="highest learning rate of the cycle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="threads of the kernels (default: the CPUs allowed)")
    parser.add_argument("--root", help="folder with the four files (default: Debian's package, then a download)")
    parser.add_argument("--limit", type=int, help="use only the first images of either set")
    return parser.parse_args()


def load(train, args):
    dataset = data.fashion_mnist(train=train, root=args.root)
    return dataset if args.limit is None else data.Subset(dataset, range(min(args.limit, len(dataset))))


def accuracy(model, dataset):
    model.eval()
    correct = 0
    with fc.no_grad():
        for x, y in data.DataLoader(dataset, batch_size=500):
            correct += (model(x).numpy().argmax(axis=1) == y).sum()
    model.train()
    return correct / len(dataset)


def main():
    args = parse()
    if args.threads:
        fc.set_num_threads(args.threads)
    fc.manual_seed(args.seed)
    train_set, test_set = load(True, args), load(False, args)
    flip = data.RandomHorizontalFlip()
    loader = data.DataLoader(train_set, args.batch_size, shuffle=True, drop_last=True, seed=args.seed, transform=flip)

    model = models.vgg_small(num_classes=10)  # channels 32, 32, pool, 64, 64, pool, 128, global max pool, linear
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=args.lr, total_steps=args.epochs * len(loader), pct_start=0.25)

    for epoch in range(args.epochs):
        start = time.perf_counter()
        for x, y in loader:
            loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - start
        print(f"epoch {epoch + 1}: {seconds:.1f} s, test accuracy {accuracy(model, test_set):.2%}", flush=True)


if __name__ == "__main__":
    main()
