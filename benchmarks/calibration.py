"""One unit of work of this machine, right now: figures of noisy machines are compared as quotients of it."""

import statistics
import sys
import time

import torch


def unit_seconds(threads: int, repeats: int = 9) -> float:
    """Median seconds of ten 3x3 convolutions forward and backward, 128 channels, 8 images of 32x32, float32."""
    torch.set_num_threads(threads)
    images = torch.randn(8, 128, 32, 32, requires_grad=True)
    weight = torch.randn(128, 128, 3, 3, requires_grad=True)
    seconds = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        for _ in range(10):
            torch.nn.functional.conv2d(images, weight, padding=1).square().mean().backward()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


if __name__ == "__main__":
    print(unit_seconds(int(sys.argv[1])))
