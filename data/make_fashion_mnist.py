"""Take a small, balanced part of Fashion-MNIST: 5,000 training and 1,000 test images.

    python data/make_fashion_mnist.py [--source FOLDER]

FOLDER holds the four original files; Debian's package `dataset-fashion-mnist` puts
them where the default looks. Of each class the first 500 training and the first 100
test images are kept, in their original order.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

SOURCE = Path("/usr/share/datasets/fashion-mnist")
OUTPUT = Path(__file__).with_name("fashion_mnist.npz")
CLASSES = 10
PER_CLASS = {"train": 500, "test": 100}
FILE_PREFIX = {"train": "train", "test": "t10k"}


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of bytes (the format of MNIST)."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def take(source: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first images of each class, and their labels."""
    prefix = source / FILE_PREFIX[part]
    images = read_idx(Path(f"{prefix}-images-idx3-ubyte.gz"))
    labels = read_idx(Path(f"{prefix}-labels-idx1-ubyte.gz"))
    first = [np.flatnonzero(labels == c)[: PER_CLASS[part]] for c in range(CLASSES)]
    rows = np.sort(np.concatenate(first))
    return images[rows], labels[rows]


def main() -> None:
    """Write the compressed file. numpy dates its members 1980: same bytes each time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    arrays = {}
    for part in PER_CLASS:
        arrays[f"x_{part}"], arrays[f"y_{part}"] = take(arguments.source, part)
    np.savez_compressed(arguments.output, **arrays)


if __name__ == "__main__":
    main()
