"""The rooms' pictures: one flat scene each, drawn anew at every seeding and always the same."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from escapemaster_dev.seed.canvas import Canvas, Colour, Point, blend, colour

WIDTH, HEIGHT = 1280, 800

Scene = Callable[[Canvas, random.Random], None]


def draw(name: str) -> bytes:
    """The PNG of a scene; its name is one of `SCENES`."""
    canvas = Canvas(WIDTH, HEIGHT)
    SCENES[name](canvas, random.Random(name))  # noqa: S311 - stars, not secrets
    return canvas.png()


def _clockmaker(canvas: Canvas, _: random.Random) -> None:
    canvas.gradient(colour("#12343b"), colour("#06191d"))
    brass, copper, dark = colour("#c99a3f"), colour("#9a5b34"), colour("#0b262b")
    for x, y, radius, teeth, fill in (
        (1130, 150, 210, 20, copper),
        (170, 690, 250, 24, brass),
        (1075, 640, 130, 14, brass),
        (235, 130, 120, 12, copper),
    ):
        _gear(canvas, x, y, radius, teeth, blend(fill, dark, 0.35), dark)
    canvas.circle(640, 400, 322, colour("#0a2126"))
    canvas.circle(640, 400, 310, brass)
    canvas.circle(640, 400, 276, colour("#f3e7c9"))
    canvas.circle(640, 400, 262, colour("#fbf4e1"))
    ink = colour("#33231a")
    for hour in range(12):
        angle = math.radians(hour * 30)
        length = 44 if hour % 3 == 0 else 24
        canvas.stroke(
            _at(640, 400, 246 - length, angle),
            _at(640, 400, 240, angle),
            14 if hour % 3 == 0 else 7,
            ink,
        )
    _gear(canvas, 640, 490, 74, 12, colour("#dcb869"), colour("#fbf4e1"))
    canvas.stroke((640, 400), _at(640, 400, 128, math.radians(-52)), 20, ink)
    canvas.stroke((640, 400), _at(640, 400, 205, math.radians(66)), 12, ink)
    canvas.stroke((640, 400), _at(640, 400, 215, math.radians(190)), 5, colour("#b3402e"))
    canvas.circle(640, 400, 22, colour("#b3402e"))
    canvas.circle(640, 400, 9, colour("#fbf4e1"))


def _library(canvas: Canvas, dice: random.Random) -> None:
    canvas.gradient(colour("#3a2218"), colour("#1c0f0a"))
    spines = [
        colour(code)
        for code in ("#8c2f2b", "#2f5d50", "#c08a3e", "#34466b", "#6b3a5b", "#a9653a", "#3f3a2e")
    ]
    wood, shade = colour("#5b3723"), colour("#24130c")
    for shelf in range(4):
        top = 20 + shelf * 196
        canvas.rectangle(0, top, WIDTH, 172, shade)
        x = 8.0
        while x < WIDTH - 20:
            width, height = dice.choice((26, 32, 38, 46)), dice.randint(104, 156)
            if dice.random() < 0.06:
                x += 54
                continue
            spine = dice.choice(spines)
            canvas.rectangle(x, top + 172 - height, width, height, spine)
            canvas.rectangle(x, top + 172 - height, 5, height, blend(spine, shade, 0.45))
            canvas.rectangle(
                x + 9, top + 190 - height, width - 15, 7, blend(spine, colour("#ffe9b0"), 0.55)
            )
            x += width + 3
        canvas.rectangle(0, top + 172, WIDTH, 24, wood)
        canvas.rectangle(0, top + 190, WIDTH, 6, blend(wood, shade, 0.6))
    light, night = colour("#ffd98a"), colour("#1c0f0a")
    canvas.glow(640, 420, 330, light, night)
    canvas.circle(640, 350, 108, night)
    canvas.polygon([(588, 400), (692, 400), (744, 700), (536, 700)], night)
    canvas.glow(640, 352, 88, colour("#fff6d8"), light)
    canvas.polygon([(604, 410), (676, 410), (714, 676), (566, 676)], light)
    canvas.polygon([(622, 400), (658, 400), (676, 676), (604, 676)], colour("#fff1c4"))


def _submarine(canvas: Canvas, dice: random.Random) -> None:
    canvas.gradient(colour("#3a4a52"), colour("#1f2a30"))
    steel, rim = colour("#566a73"), colour("#a9b8bb")
    for left in range(0, WIDTH, 320):
        canvas.rectangle(left, 0, 6, HEIGHT, colour("#2b383f"))
        for top in range(40, HEIGHT, 80):
            canvas.circle(left + 26, top, 7, steel)
            canvas.circle(left - 20, top, 7, steel)
    canvas.circle(640, 400, 372, colour("#222e34"))
    canvas.circle(640, 400, 358, steel)
    canvas.circle(640, 400, 322, rim)
    for bolt in range(16):
        x, y = _at(640, 400, 340, math.radians(bolt * 22.5))
        canvas.circle(x, y, 11, colour("#2b383f"))
        canvas.circle(x - 2, y - 2, 8, colour("#8b9da2"))
    deep, bright = colour("#052b45"), colour("#2aa3b5")
    for ring in range(24):
        canvas.circle(640, 400 - ring * 3, 292 - ring * 9, blend(deep, bright, ring / 26))
    for x, y, size, tint in (
        (560, 330, 1.0, "#f2a541"),
        (735, 400, 0.75, "#f2a541"),
        (590, 500, 0.6, "#e5734f"),
        (700, 540, 0.9, "#e5734f"),
    ):
        _fish(canvas, x, y, size, colour(tint))
    for _ in range(26):
        x, y = dice.gauss(650, 110), dice.uniform(190, 610)
        if math.hypot(x - 640, y - 400) < 260:
            radius = dice.uniform(3, 11)
            canvas.circle(x, y, radius, colour("#9fe0e6"))
            canvas.circle(x, y, radius - 2, colour("#2f97aa"))


def _attic(canvas: Canvas, dice: random.Random) -> None:
    canvas.gradient(colour("#3b2a4f"), colour("#1d1230"))
    beam, dark = colour("#5a3d52"), colour("#150c22")
    canvas.polygon([(0, 0), (640, -360), (0, 520)], dark)
    canvas.polygon([(WIDTH, 0), (640, -360), (WIDTH, 520)], dark)
    canvas.stroke((-40, 560), (600, -120), 34, beam)
    canvas.stroke((WIDTH + 40, 560), (680, -120), 34, beam)
    canvas.rectangle(210, 130, 860, 30, beam)
    canvas.circle(640, 330, 168, beam)
    canvas.circle(640, 330, 150, colour("#182a55"))
    for _ in range(40):
        x, y = dice.uniform(495, 785), dice.uniform(185, 475)
        if math.hypot(x - 640, y - 330) < 140:
            canvas.circle(x, y, dice.choice((1.6, 2.2, 3.0)), colour("#e9e6ff"))
    canvas.glow(690, 300, 84, colour("#f8eec5"), colour("#182a55"))
    canvas.circle(690, 300, 50, colour("#fdf6d8"))
    canvas.circle(672, 290, 10, colour("#ece0b4"))
    canvas.circle(704, 318, 7, colour("#ece0b4"))
    canvas.rectangle(632, 180, 16, 300, beam)
    canvas.rectangle(490, 322, 300, 16, beam)
    canvas.rectangle(0, 640, WIDTH, 160, colour("#241536"))
    for x in range(-20, WIDTH, 170):
        canvas.rectangle(x, 640, 5, 160, dark)
    canvas.polygon([(520, 640), (770, 640), (860, 800), (410, 800)], colour("#3c2c5c"))
    _trunk(canvas, 820, 520)
    for x, y, width, height, fill in (
        (170, 590, 150, 120, "#6d4a3a"),
        (210, 500, 110, 90, "#805a45"),
        (330, 640, 90, 70, "#5c3d32"),
    ):
        canvas.rectangle(x, y, width, height, colour(fill))
        canvas.rectangle(x + width / 2 - 9, y, 18, height, blend(colour(fill), dark, 0.35))


def _whitechapel(canvas: Canvas, dice: random.Random) -> None:
    canvas.gradient(colour("#20303f"), colour("#5a6a6b"))
    far, near = colour("#2c3f4d"), colour("#141d27")
    canvas.glow(980, 170, 150, colour("#b9c2b4"), colour("#2b3d4b"))
    canvas.circle(980, 170, 62, colour("#dfe3d3"))
    x = 0
    while x < WIDTH:
        width, height = dice.randint(70, 130), dice.randint(250, 400)
        canvas.rectangle(x, 640 - height, width, height, far)
        canvas.rectangle(x + width * 0.6, 610 - height, 20, 40, far)
        x += width
    canvas.rectangle(160, 130, 76, 520, far)
    canvas.polygon([(160, 130), (236, 130), (198, 30)], far)
    canvas.circle(198, 200, 27, colour("#d9c486"))
    canvas.stroke((198, 200), (198, 181), 4, near)
    canvas.stroke((198, 200), (211, 206), 4, near)
    for left, top, width in ((-30, 300, 330), (900, 260, 420)):
        canvas.rectangle(left, top, width, 400, near)
        canvas.polygon(
            [(left - 20, top), (left + width + 20, top), (left + width / 2, top - 110)], near
        )
        for column in range(3):
            for line in range(3):
                lit = dice.random() < 0.45
                canvas.rectangle(
                    left + 50 + column * (width - 90) / 3,
                    top + 50 + line * 105,
                    44,
                    62,
                    colour("#e9b25c") if lit else colour("#22303d"),
                )
    canvas.rectangle(0, 640, WIDTH, 160, colour("#1a232c"))
    canvas.glow(600, 270, 200, colour("#ffd27a"), colour("#3b4d58"))
    canvas.rectangle(592, 300, 16, 420, near)
    canvas.rectangle(566, 700, 68, 24, near)
    canvas.polygon([(562, 230), (638, 230), (622, 320), (578, 320)], colour("#fff0bf"))
    canvas.polygon([(552, 232), (648, 232), (600, 186)], near)
    canvas.rectangle(574, 318, 52, 10, near)
    _figure(canvas, 760, 470, near)
    for band in range(5):
        y = 600 + band * 38
        fog = blend(colour("#5f6f72"), colour("#8d9997"), band / 5)
        for _ in range(7):
            puff = dice.uniform(0, WIDTH)
            canvas.rectangle(puff, y, dice.uniform(160, 420), 9, fog)


def _train(canvas: Canvas, dice: random.Random) -> None:
    canvas.gradient(colour("#1a1440"), colour("#f08a5d"))
    for _ in range(70):
        canvas.circle(dice.uniform(0, WIDTH), dice.uniform(0, 260), dice.choice((1.4, 2, 2.6)),
                      colour("#f6f1ff"))  # fmt: skip
    canvas.circle(1010, 470, 120, colour("#ffd29d"))
    for top, fill in ((430, "#6a3d6e"), (490, "#4a2c58")):
        peaks: list[Point] = [
            (x, top + dice.uniform(-60, 60)) for x in range(-20, WIDTH + 140, 120)
        ]
        canvas.polygon([(-20, 800), *peaks, (WIDTH + 200, 800)], colour(fill))
    canvas.rectangle(0, 640, WIDTH, 160, colour("#1d1228"))
    canvas.rectangle(0, 612, WIDTH, 12, colour("#38253f"))
    for x in range(40, WIDTH, 180):
        canvas.polygon([(x, 624), (x + 34, 624), (x + 50, 800), (x - 16, 800)], colour("#2b1c33"))
    body, light, iron = colour("#7d2438"), colour("#ffe08a"), colour("#160d1d")
    for carriage in range(3):
        left = 60 + carriage * 300
        canvas.rectangle(left, 470, 282, 122, body)
        canvas.rectangle(left - 6, 456, 294, 20, iron)
        canvas.rectangle(left, 556, 282, 8, colour("#d9a441"))
        for window in range(4):
            canvas.rectangle(left + 24 + window * 64, 490, 42, 50, light)
        canvas.rectangle(left + 282, 574, 18, 10, iron)
        for wheel in (46, 96, 186, 236):
            canvas.circle(left + wheel, 596, 20, iron)
            canvas.circle(left + wheel, 596, 8, colour("#6b5a66"))
    canvas.rectangle(960, 440, 110, 152, body)
    canvas.rectangle(946, 424, 138, 20, iron)
    canvas.rectangle(984, 466, 60, 48, light)
    canvas.rectangle(1066, 492, 150, 96, iron)
    canvas.circle(1216, 540, 48, iron)
    canvas.rectangle(1160, 424, 36, 76, iron)
    canvas.rectangle(1150, 412, 56, 16, iron)
    canvas.circle(1236, 528, 15, light)
    canvas.polygon([(1236, 516), (1280, 480), (1280, 600), (1236, 540)], blend(light, body, 0.35))
    for wheel, radius in ((990, 28), (1060, 28), (1130, 22), (1190, 22)):
        canvas.circle(wheel, 592, radius, iron)
        canvas.circle(wheel, 592, radius * 0.4, colour("#6b5a66"))
    for puff in range(9):
        canvas.circle(1170 - puff * 84, 380 - puff * 22, 24 + puff * 7,
                      blend(colour("#e9d9e2"), colour("#6f4a76"), puff / 9))  # fmt: skip


def _at(x: float, y: float, radius: float, angle: float) -> Point:
    """The point at an angle clockwise from twelve o'clock."""
    return x + radius * math.sin(angle), y - radius * math.cos(angle)


def _gear(
    canvas: Canvas, x: float, y: float, radius: float, teeth: int, fill: Colour, hole: Colour
) -> None:
    outline: list[Point] = []
    for tooth in range(teeth):
        for offset, reach in ((-0.30, 0.86), (-0.20, 1.0), (0.20, 1.0), (0.30, 0.86)):
            outline.append(_at(x, y, radius * reach, (tooth + offset) * math.tau / teeth))
    canvas.polygon(outline, fill)
    canvas.circle(x, y, radius * 0.62, hole)
    for spoke in range(5):
        canvas.stroke((x, y), _at(x, y, radius * 0.7, spoke * math.tau / 5), radius * 0.12, fill)
    canvas.circle(x, y, radius * 0.2, fill)
    canvas.circle(x, y, radius * 0.09, hole)


def _fish(canvas: Canvas, x: float, y: float, size: float, fill: Colour) -> None:
    canvas.polygon(
        [(x - 46 * size, y), (x - 84 * size, y - 26 * size), (x - 84 * size, y + 26 * size)], fill
    )
    canvas.polygon(
        [_oval(x, y, 52 * size, 25 * size, step * math.tau / 32) for step in range(32)], fill
    )
    canvas.circle(x + 28 * size, y - 6 * size, 6 * size, colour("#0a2238"))


def _oval(x: float, y: float, wide: float, high: float, angle: float) -> Point:
    return x + wide * math.cos(angle), y + high * math.sin(angle)


def _trunk(canvas: Canvas, x: float, y: float) -> None:
    leather, strap, brass = colour("#7a4b33"), colour("#3d2319"), colour("#d8a94b")
    canvas.polygon(
        [_oval(x + 130, y + 62, 134, 62, math.pi + step * math.pi / 20) for step in range(21)],
        blend(leather, brass, 0.15),
    )
    canvas.rectangle(x - 4, y + 62, 268, 130, leather)
    canvas.rectangle(x - 4, y + 58, 268, 12, strap)
    for left in (28, 204):
        canvas.rectangle(x + left, y + 14, 26, 178, strap)
    canvas.rectangle(x + 106, y + 50, 50, 54, brass)
    canvas.circle(x + 131, y + 72, 9, strap)
    canvas.polygon(
        [(x + 127, y + 74), (x + 135, y + 74), (x + 139, y + 94), (x + 123, y + 94)], strap
    )


def _figure(canvas: Canvas, x: float, y: float, fill: Colour) -> None:
    canvas.polygon([(x - 34, y + 60), (x + 34, y + 60), (x + 62, y + 250), (x - 62, y + 250)], fill)
    canvas.circle(x, y + 40, 26, fill)
    canvas.rectangle(x - 44, y + 14, 88, 10, fill)
    canvas.rectangle(x - 26, y - 40, 52, 56, fill)
    canvas.stroke((x + 40, y + 100), (x + 76, y + 250), 7, fill)


def _workshop(canvas: Canvas, _: random.Random) -> None:
    canvas.gradient(colour("#1b3f45"), colour("#071c20"))
    brass, dark = colour("#c99a3f"), colour("#0b262b")
    canvas.rectangle(0, 620, WIDTH, 180, colour("#4a2f1f"))
    canvas.rectangle(0, 620, WIDTH, 14, colour("#6d4a30"))
    for x, drop, radius in ((200, 220, 110), (520, 300, 150), (860, 200, 95), (1110, 270, 120)):
        canvas.stroke((x, 0), (x, drop), 6, dark)
        canvas.circle(x, drop + radius, radius, brass)
        canvas.circle(x, drop + radius, radius * 0.86, colour("#f3e7c9"))
        centre = (x, drop + radius)
        # All of them stopped at ten past ten.
        canvas.stroke(centre, _at(*centre, radius * 0.45, math.radians(305)), 12, dark)
        canvas.stroke(centre, _at(*centre, radius * 0.68, math.radians(60)), 8, dark)
        canvas.circle(*centre, 10, colour("#b3402e"))
    for x, radius, teeth in ((330, 62, 12), (440, 40, 10), (990, 54, 12)):
        _gear(canvas, x, 640, radius, teeth, blend(brass, dark, 0.2), colour("#4a2f1f"))


def _engine_room(canvas: Canvas, _: random.Random) -> None:
    canvas.gradient(colour("#2f3d44"), colour("#172025"))
    steel, rim, needle = colour("#566a73"), colour("#a9b8bb"), colour("#e5734f")
    for y in (70, 130, 730):
        canvas.rectangle(0, y, WIDTH, 30, steel)
        canvas.rectangle(0, y + 4, WIDTH, 6, rim)
        for x in range(90, WIDTH, 240):
            canvas.rectangle(x, y - 6, 26, 42, colour("#8b9da2"))
    for place, turn in enumerate((-70, 20, 95, 130)):
        x, y = 190 + place * 300, 330
        canvas.circle(x, y, 120, rim)
        canvas.circle(x, y, 104, colour("#f3f0e2"))
        for mark in range(-120, 121, 30):
            angle = math.radians(mark)
            canvas.stroke(_at(x, y, 80, angle), _at(x, y, 96, angle), 6, colour("#222e34"))
        canvas.stroke((x, y), _at(x, y, 82, math.radians(turn)), 9, needle)
        canvas.circle(x, y, 13, colour("#222e34"))
    canvas.circle(640, 610, 104, needle)
    canvas.circle(640, 610, 78, colour("#1c272c"))
    for spoke in range(6):
        canvas.stroke((640, 610), _at(640, 610, 92, spoke * math.tau / 6), 14, needle)
    canvas.circle(640, 610, 24, needle)
    canvas.glow(1120, 600, 90, colour("#ff8d6b"), colour("#1c272c"))
    canvas.glow(160, 600, 90, colour("#7fe0b0"), colour("#1c272c"))


def _trunk_in_the_attic(canvas: Canvas, _: random.Random) -> None:
    night, beam = colour("#1d1230"), colour("#5a3d52")
    canvas.gradient(colour("#33244a"), night)
    canvas.glow(640, 420, 420, colour("#6a5480"), colour("#2a1d40"))
    for x in range(-20, WIDTH, 170):
        canvas.rectangle(x, 0, 5, HEIGHT, night)
    canvas.rectangle(0, 640, WIDTH, 160, colour("#241536"))
    canvas.stroke((-40, 250), (420, -60), 40, beam)
    canvas.stroke((WIDTH + 40, 250), (860, -60), 40, beam)
    _trunk(canvas, 510, 450)
    canvas.stroke((230, 640), (300, 420), 14, beam)
    canvas.stroke((370, 640), (300, 420), 14, beam)
    canvas.stroke((180, 500), (420, 340), 40, colour("#b99a52"))
    canvas.stroke((400, 354), (452, 318), 56, colour("#d8b96a"))
    for x, height in ((930, 120), (990, 84), (1040, 140)):
        canvas.rectangle(x, 640 - height, 34, height, colour("#f3e7c9"))
        canvas.glow(x + 17, 620 - height, 38, colour("#ffe9a8"), colour("#5d4a74"))


SCENES: dict[str, Scene] = {
    "clockmaker": _clockmaker,
    "library": _library,
    "submarine": _submarine,
    "attic": _attic,
    "whitechapel": _whitechapel,
    "train": _train,
    "workshop": _workshop,
    "engine room": _engine_room,
    "trunk": _trunk_in_the_attic,
}
