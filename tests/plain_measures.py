"""The slow version: the DAVIS rules (METRICS, section 1) word for word, over the whole frame."""

from __future__ import annotations

import cv2
import numpy as np


def plain_j(truth: np.ndarray, prediction: np.ndarray) -> float:
    common, union = np.logical_and(truth, prediction).sum(), np.logical_or(truth, prediction).sum()
    return 1.0 if union == 0 else common / union


def plain_boundary(mask: np.ndarray) -> np.ndarray:
    mask = mask.astype(bool)
    right, below, corner = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    corner[:-1, :-1] = mask[1:, 1:]
    edge = mask ^ right | mask ^ below | mask ^ corner
    edge[-1] = mask[-1] ^ right[-1]
    edge[:, -1] = mask[:, -1] ^ below[:, -1]
    edge[-1, -1] = False
    return edge


def plain_f(truth: np.ndarray, prediction: np.ndarray, tolerance: float = 0.008) -> float:
    radius = int(tolerance if tolerance >= 1 else np.ceil(tolerance * np.linalg.norm(truth.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    true, predicted = plain_boundary(truth), plain_boundary(prediction)
    near_true = cv2.dilate(true.astype(np.uint8), disk).astype(bool)
    near_predicted = cv2.dilate(predicted.astype(np.uint8), disk).astype(bool)
    if true.sum() == 0 and predicted.sum() == 0:
        precision, recall = 1.0, 1.0
    elif predicted.sum() == 0:
        precision, recall = 1.0, 0.0
    elif true.sum() == 0:
        precision, recall = 0.0, 1.0
    else:
        precision = (predicted & near_true).sum() / predicted.sum()
        recall = (true & near_predicted).sum() / true.sum()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)
