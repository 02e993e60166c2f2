"""Follow two objects in one batch, by one's own loop over frames, and save label maps as indexed PNGs.

python examples/two_objects.py FOLDER_OF_IMAGES OUT
"""

import sys
from pathlib import Path

import cv2
import torch

import vossegment
from vossegment.tracking.merge import label_map
from vossegment.writers.masks import write_labels

BOXES = [[60, 40, 160, 120], [220, 80, 300, 180]]  # x0 y0 x1 y1 in the first frame


def main(folder: str, out: str) -> None:
    tracker = vossegment.load(device="cpu")
    prompts = vossegment.Prompts(ids=(1, 2), boxes=torch.tensor(BOXES, dtype=torch.float32))
    Path(out).mkdir(parents=True, exist_ok=True)
    state = None
    for path in sorted(Path(folder).glob("*.png")):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        frame = torch.from_numpy(image)
        if state is None:
            state = tracker.start(frame, prompts)  # the state is a value: keep it, copy it, join another
        state, result = tracker.step(state, frame)
        labels = label_map(result, prompts.ids, *image.shape[:2], threshold=tracker.mask_threshold)
        write_labels(Path(out) / f"{path.stem}.png", labels)


if __name__ == "__main__":
    main(*sys.argv[1:3])
