"""Write a picture of each report into docs/images/: its first screen on a computer and on a phone, side by side.

    python docs/make_picture.py [REPORT.html ...]      default: every page in report/

It needs Chromium, and reports that are worth showing: measured on a quiet machine. It is not part of ``make docs``.
docs/explanation/gallery.md has the commands that measure and write the reports.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs/images"
COMPUTER, PHONE, HEIGHT, MARGIN = 1280, 390, 800, 16  # pixels
COLOURS = 64  # enough for text and bars, and a third of the bytes
FRAME = '<iframe src="{address}" style="width:{width}px;height:{height}px;border:0;margin-left:{margin}px"></iframe>'


def main() -> int:
    """Take the pictures; return 2 if there is no Chromium or no report."""
    reports = [Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "report").glob("*.html"))
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    missing = [str(report) for report in reports if not report.is_file()]
    if browser is None or missing or not reports:
        where = ", ".join(missing) or "no page in report/"
        print(f"This needs Chromium ({browser or 'not found'}) and reports ({where}).", file=sys.stderr)
        return 2
    PICTURES.mkdir(parents=True, exist_ok=True)
    for report in reports:
        picture = PICTURES / f"{report.stem}.png"
        take(browser, report, picture)
        print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")
    return 0


def take(browser: str, report: Path, picture: Path) -> None:
    """Write the first screen of a report at both widths into one picture."""
    frames = "".join(
        FRAME.format(address=html.escape(report.as_uri()), width=width, height=HEIGHT, margin=MARGIN)
        for width in (COMPUTER, PHONE)
    )
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder) / "both.html", Path(folder) / "shot.png"
        style = f"margin:{MARGIN}px 0;background:#8a929c;display:flex"
        page.write_text(f'<!doctype html><body style="{style}">{frames}</body>', encoding="utf-8")
        size = f"{COMPUTER + PHONE + 3 * MARGIN},{HEIGHT + 2 * MARGIN}"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size={size}", f"--screenshot={shot}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=120)
        Image.open(shot).convert("RGB").quantize(COLOURS).save(picture, optimize=True)


if __name__ == "__main__":
    raise SystemExit(main())
