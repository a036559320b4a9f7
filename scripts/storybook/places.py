"""Backdrops: each place in three versions, drawn as vector graphics on a square of 100.

A fourth version is the second one seen from the other side, in the evening.
"""

VERSIONS = 4
EVENING = '<rect width="100" height="100" fill="#e8743a" opacity="0.2"/>'


def _sky(top: str, bottom: str, ground: float) -> str:
    return (
        f'<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
        f'</linearGradient></defs><rect width="100" height="{ground + 1}" fill="url(#sky)"/>'
    )


def _ground(top: float, near: str, far: str) -> str:
    return (
        f'<defs><linearGradient id="ground" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{far}"/><stop offset="1" stop-color="{near}"/>'
        f"</linearGradient></defs>"
        f'<rect y="{top}" width="100" height="{100 - top}" fill="url(#ground)"/>'
    )


def _hill(left: float, right: float, foot: float, peak: float, colour: str) -> str:
    middle = (left + right) / 2
    return (
        f'<path d="M{left} {foot} Q{middle} {2 * peak - foot} {right} {foot} Z" fill="{colour}"/>'
    )


def _cloud(x: float, y: float, size: float, colour: str = "#fff") -> str:
    return (
        f'<g fill="{colour}" opacity="0.92">'
        f'<ellipse cx="{x}" cy="{y}" rx="{size}" ry="{size * 0.42}"/>'
        f'<circle cx="{x - size * 0.35}" cy="{y - size * 0.25}" r="{size * 0.42}"/>'
        f'<circle cx="{x + size * 0.3}" cy="{y - size * 0.32}" r="{size * 0.5}"/></g>'
    )


def _tree(x: float, foot: float, height: float, leaf: str, fir: bool) -> str:
    trunk = (
        f'<rect x="{x - height * 0.05}" y="{foot - height * 0.4}" width="{height * 0.1}"'
        f' height="{height * 0.4}" fill="#5b3d25"/>'
    )
    if fir:
        tiers = "".join(
            f'<path d="M{x} {foot - height * top} l{height * half} {height * 0.42}'
            f' h{-2 * height * half} Z" fill="{leaf}"/>'
            for top, half in ((0.6, 0.26), (0.8, 0.21), (1.0, 0.15))
        )
        return trunk + tiers
    return trunk + (
        f'<circle cx="{x}" cy="{foot - height * 0.68}" r="{height * 0.3}" fill="{leaf}"/>'
        f'<g fill="{leaf}">'
        f'<circle cx="{x - height * 0.2}" cy="{foot - height * 0.52}" r="{height * 0.2}"/>'
        f'<circle cx="{x + height * 0.2}" cy="{foot - height * 0.52}" r="{height * 0.2}"/></g>'
    )


def _field(version: int) -> str:
    grass = (("#5da03c", "#8cc152"), ("#6f9f3a", "#b2b84e"), ("#3f8f4a", "#79bd6a"))[version]
    sky = (("#6fb7ea", "#dff1fb"), ("#8ec9ee", "#fdf3d6"), ("#a9c3d6", "#e9eef2"))[version]
    hills = (
        _hill(-20, 60, 46, 32, "#7ba05b") + _hill(30, 130, 46, 36, "#8fb573"),
        _hill(-40, 130, 48, 38, "#a3ad63"),
        _hill(40, 120, 46, 26, "#5f8f72") + _hill(-30, 50, 46, 36, "#6fa37f"),
    )[version]
    extra = (
        _cloud(22, 14, 11) + _cloud(78, 20, 8),
        _cloud(70, 14, 12),
        _cloud(36, 12, 14, "#f4f6f8"),
    )[version]
    return _sky(*sky, 46) + extra + hills + _ground(45, *grass)


def _forest(version: int) -> str:
    fir = version != 1
    leaf = ("#2f6b3c", "#4f8a35", "#23564a")[version]
    back = ("#4d8a57", "#76a94f", "#3e7566")[version]
    ground = (("#4f7a3a", "#6c9a4b"), ("#7a7a3c", "#9c9a52"), ("#3d5f3a", "#58805a"))[version]
    far = "".join(_tree(x, 52, 34, back, fir) for x in range(-2, 106, 9))
    near = "".join(_tree(x, 60, h, leaf, fir) for x, h in ((4, 52), (21, 44), (80, 48), (96, 56)))
    return _sky("#b7d7c4", "#dcebd9", 52) + far + _ground(50, *ground) + near


def _snow(version: int) -> str:
    sky = (("#9cc4e4", "#e8f2f9"), ("#b9c0d8", "#f3e4ea"), ("#8fa7bd", "#dfe6ec"))[version]
    hills = (
        _hill(-10, 60, 50, 22, "#c9d9e8") + _hill(40, 120, 50, 30, "#d8e4ef"),
        _hill(-40, 80, 50, 34, "#d4d9ea") + _hill(50, 140, 50, 24, "#c6cde2"),
        _hill(10, 90, 50, 18, "#b9c9d8"),
    )[version]
    firs = (
        _tree(10, 56, 22, "#3f6f63", True) + _tree(90, 58, 26, "#3f6f63", True),
        _tree(84, 56, 20, "#4a6a7a", True),
        _tree(6, 58, 26, "#35605a", True) + _tree(20, 55, 18, "#35605a", True),
    )[version]
    return _sky(*sky, 50) + hills + _ground(49, "#ffffff", "#e3ecf4") + firs


def _beach(version: int) -> str:
    sky = (("#4fb4ea", "#cfeefb"), ("#79c2e8", "#ffe9c9"), ("#8db8d2", "#e6eef2"))[version]
    sea = ("#2f86c1", "#3a9bb5", "#5a87a8")[version]
    sand = (("#f1d592", "#e2bf78"), ("#f6dfb0", "#e8c88e"), ("#dcc9a0", "#cbb488"))[version]
    palm = (
        "",
        '<path d="M88 62 Q84 40 90 24" stroke="#7b5a36" stroke-width="3" fill="none"/>'
        '<g stroke="#3c8a46" stroke-width="3.4" fill="none" stroke-linecap="round">'
        '<path d="M90 24 q-10 -8 -18 0"/><path d="M90 24 q8 -10 16 -2"/>'
        '<path d="M90 24 q-6 4 -10 12"/>'
        '<path d="M90 24 q6 2 9 10"/></g>',
        "",
    )[version]
    clouds = (_cloud(74, 14, 10), "", _cloud(30, 16, 13, "#f2f5f7") + _cloud(80, 12, 9, "#f2f5f7"))[
        version
    ]
    return (
        _sky(*sky, 38) + clouds + f'<rect y="38" width="100" height="22" fill="{sea}"/>'
        '<path d="M0 58 q12 -4 25 0 t25 0 t25 0 t25 0 v6 h-100 Z" fill="#eef7fa"/>'
        + _ground(61, *sand)
        + palm
    )


def _desert(version: int) -> str:
    sky = (("#f3b35f", "#fde6b4"), ("#79b7dd", "#fbeccb"), ("#d98a6a", "#f8d3a8"))[version]
    sand = (("#dd9f52", "#edbd74"), ("#e0b56c", "#efd096"), ("#c07a48", "#d99b62"))[version]
    far = ("#d9964d", "#d8aa62", "#b06c42")[version]
    cactus = (
        '<g stroke="#4c7f46" stroke-width="4.5" fill="none" stroke-linecap="round">'
        '<path d="M{x} 58 v-22 M{x} 50 h-6 v-8 M{x} 47 h6 v-7"/></g>'
    )
    plants = (cactus.format(x=12) + cactus.format(x=90), "", cactus.format(x=86))[version]
    sun = (
        '<circle cx="76" cy="14" r="7" fill="#fff3c4"/>',
        '<circle cx="20" cy="14" r="6" fill="#fff8dc"/>',
        "",
    )[version]
    dunes = _hill(-30, 60, 54, 38, far) + _hill(35, 135, 54, 42, far)
    return _sky(*sky, 52) + sun + dunes + _ground(53, *sand) + plants


def _street(version: int) -> str:
    walls = (
        ("#b8735a", "#d2a679", "#9aa5b1", "#c98f6b"),
        ("#8d99ae", "#b0b8c4", "#73808f", "#a2a9b5"),
        ("#e0c9a6", "#c96f5a", "#e8dcc2", "#a8b08f"),
    )[version]
    heights = ((44, 56, 38, 50), (58, 42, 54, 46), (40, 48, 44, 36))[version]
    houses = ""
    for number, (wall, height) in enumerate(zip(walls, heights, strict=True)):
        x = number * 25
        houses += f'<rect x="{x}" y="{62 - height}" width="25" height="{height}" fill="{wall}"/>'
        for row in range(int(height // 14)):
            for column in (4, 15):
                y = 66 - height + row * 13
                houses += f'<rect x="{x + column}" y="{y}" width="6.5" height="7" fill="#dfeefa"/>'
    sky = (("#8fc7ee", "#e3f2fb"), ("#a7b4c4", "#dfe4ea"), ("#f2b98a", "#fde6c9"))[version]
    dashes = "".join(
        f'<rect x="{x}" y="84" width="12" height="2.4" fill="#f4f0dc"/>' for x in (4, 30, 56, 82)
    )
    return (
        _sky(*sky, 62)
        + houses
        + '<rect y="62" width="100" height="6" fill="#c9c5bd"/>'
        + _ground(68, "#55585e", "#6c7078")
        + dashes
    )


def _ocean(version: int) -> str:
    sky = (("#63b3e6", "#d9effa"), ("#f0a06a", "#fde2b8"), ("#8ea3b5", "#d5dde3"))[version]
    sea = (("#12598f", "#3c93c9"), ("#2b5f86", "#7c8fa3"), ("#2c5166", "#5c8296"))[version]
    sun = ("", '<circle cx="50" cy="30" r="9" fill="#fff1c9"/>', "")[version]
    clouds = (
        _cloud(20, 14, 10) + _cloud(70, 20, 8),
        "",
        _cloud(30, 14, 16, "#e8ecef") + _cloud(76, 18, 14, "#e8ecef"),
    )[version]
    crests = "".join(
        f'<path d="M{x} {y} q5 -3 10 0" stroke="#e8f4fa" stroke-width="1.4" fill="none"'
        ' opacity="0.7"/>'
        for x, y in ((6, 56), (34, 62), (70, 54), (84, 72), (16, 80), (52, 88), (40, 74), (76, 92))
    )
    return _sky(*sky, 44) + sun + clouds + _ground(43, *sea) + crests


def _room(version: int) -> str:
    wall = ("#f1e3c8", "#cfdfe3", "#e6cfc9")[version]
    floor = ("#b98a58", "#9c7b5e", "#8a6a52")[version]
    rug = ("#a3473f", "#4e6f86", "#c9a14a")[version]
    window = (60, 12, 36)[version]
    boards = "".join(
        f'<path d="M0 {y} h100" stroke="#0002" stroke-width="0.8"/>' for y in (76, 84, 92)
    )
    frame = (
        f'<rect x="{window}" y="12" width="28" height="26" fill="#fff"/>'
        f'<rect x="{window + 2}" y="14" width="11" height="22" fill="#a9d8f5"/>'
        f'<rect x="{window + 15}" y="14" width="11" height="22" fill="#a9d8f5"/>'
    )
    painting = (18, 66, 76)[version]
    picture = (
        f'<rect x="{painting}" y="16" width="16" height="14" fill="#6b4a2f"/>'
        f'<rect x="{painting + 2}" y="18" width="12" height="10" fill="#8fb58a"/>'
    )
    return (
        f'<rect width="100" height="70" fill="{wall}"/>{frame}{picture}'
        f'<rect y="68" width="100" height="32" fill="{floor}"/>'
        f'<rect y="66.5" width="100" height="2.5" fill="#fff9"/>{boards}'
        f'<ellipse cx="50" cy="90" rx="40" ry="7" fill="{rug}"/>'
    )


def _open_sky(version: int) -> str:
    sky = (("#2f86d6", "#9fd2f5"), ("#4a9ad9", "#cfe6f5"), ("#5b7fc4", "#f4c9a6"))[version]
    clouds = (
        _cloud(20, 22, 12) + _cloud(80, 60, 14) + _cloud(30, 84, 16),
        _cloud(70, 18, 15) + _cloud(18, 54, 11) + _cloud(78, 88, 17),
        _cloud(50, 90, 20, "#fbe3d0")
        + _cloud(14, 20, 10, "#fbe3d0")
        + _cloud(88, 34, 10, "#fbe3d0"),
    )[version]
    return _sky(*sky, 100) + clouds


def _ballpark(version: int) -> str:
    sky = (("#6fb9ec", "#dbeffa"), ("#1f2f55", "#4b5f8f"), ("#9cc0da", "#f2e2c4"))[version]
    stand = ("#7d8da3", "#39425f", "#9a7f6a")[version]
    crowd = "".join(
        f'<circle cx="{x}" cy="{y}" r="1.7" fill="{colour}"/>'
        for y in (26, 32, 38)
        for x, colour in zip(
            range(3, 100, 6),
            ("#e8c9a6", "#d64f4f", "#4f7fd6", "#f2f2f2", "#e0b84f") * 4,
            strict=False,
        )
    )
    wall = ("#2f6b48", "#27543c", "#3b6f8f")[version]
    grass = (("#4f9a45", "#74b95c"), ("#3b7f45", "#5a9c58"), ("#6a9f4a", "#8fb965"))[version]
    return (
        _sky(*sky, 24) + f'<rect y="22" width="100" height="20" fill="{stand}"/>{crowd}'
        f'<rect y="42" width="100" height="8" fill="{wall}"/>'
        + _ground(50, *grass)
        + '<ellipse cx="50" cy="92" rx="52" ry="24" fill="#c08a56"/>'
        '<path d="M46 94 h8 v3 l-4 3 l-4 -3 Z" fill="#fff"/>'
    )


def _table(version: int) -> str:
    wall = ("#e9dcc3", "#bcd3c9", "#d8c3cf")[version]
    top = (("#a8703c", "#c08a52"), ("#7d5433", "#96693f"), ("#c9a36b", "#dcbd8b"))[version]
    tiles = "".join(
        f'<path d="M0 {y} h100" stroke="#fff6" stroke-width="0.9"/>' for y in (10, 24, 38)
    ) + "".join(f'<path d="M{x} 0 v56" stroke="#fff6" stroke-width="0.9"/>' for x in (20, 50, 80))
    shelf = (
        '<rect x="8" y="18" width="30" height="3" fill="#7b5a36"/>'
        '<rect x="12" y="8" width="6" height="10" fill="#b5533f"/>'
        '<rect x="20" y="6" width="5" height="12" fill="#4e6f86"/>'
        '<rect x="27" y="10" width="7" height="8" fill="#d8b04a"/>',
        "",
        '<rect x="62" y="6" width="28" height="30" fill="#fff"/>'
        '<rect x="64.5" y="8.5" width="10" height="25" fill="#a9d8f5"/>'
        '<rect x="77" y="8.5" width="10" height="25" fill="#a9d8f5"/>',
    )[version]
    return (
        f'<rect width="100" height="60" fill="{wall}"/>'
        + ("", tiles, "")[version]
        + shelf
        + _ground(58, *top)
        + '<rect y="58" width="100" height="2" fill="#fff5"/>'
    )


BACKDROPS = {
    "field": _field,
    "forest": _forest,
    "snow": _snow,
    "beach": _beach,
    "desert": _desert,
    "street": _street,
    "ocean": _ocean,
    "room": _room,
    "sky": _open_sky,
    "ballpark": _ballpark,
    "table": _table,
}


def backdrop(place: str, version: int) -> str:
    """The vector drawing of a place, without an outer <svg>."""
    if version < 3:
        return BACKDROPS[place](version)
    return f'<g transform="translate(100 0) scale(-1 1)">{BACKDROPS[place](1)}</g>{EVENING}'
