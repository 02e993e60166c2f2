"""Follow one box through a video and print where the object is.

python examples/track_box.py VIDEO X Y WIDTH HEIGHT
"""

import sys

import vossegment


def main(video: str, x: float, y: float, width: float, height: float) -> None:
    tracker = vossegment.load()
    for frame in vossegment.track(video, tracker, boxes=[(x, y, width, height)]):
        (found,) = frame.objects  # one record an object; frame.labels is the (H, W) label map
        print(f"{frame.time:7.3f} s  {found.status:8s}  box {found.box}  {found.area} pixels")


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:6]))
