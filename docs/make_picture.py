"""Write the picture NAME.png in docs/images/: the top of the report NAME.html, as Chromium shows it.

    python docs/make_picture.py [REPORT.html [HEIGHT]]      default: report/summary.html 2300, that of ``make run``

Not part of ``make docs``, because it needs Chromium and a report that is worth showing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs/images"
WIDTH, HEIGHT = 1200, 2300
COLOURS = 64  # enough for text and plots, and a third of the bytes


def main() -> int:
    """Take the picture; return 2 if there is no Chromium or no report."""
    report = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "report/summary.html").resolve()
    height = int(sys.argv[2]) if len(sys.argv) > 2 else HEIGHT
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None or not report.is_file():
        print(f"needs Chromium ({browser or 'not found'}) and a report ({report})", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{height}", f"--screenshot={shot}"]
        subprocess.run([*command, report.as_uri()], check=True, capture_output=True, timeout=120)
        picture = PICTURES / f"{report.stem}.png"
        PICTURES.mkdir(parents=True, exist_ok=True)
        Image.open(shot).convert("RGB").quantize(COLOURS).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
