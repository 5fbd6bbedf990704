"""A sheet as PDF: A4, black on white, case, reference and page number on each page; same sheet, same bytes.

The font is FiraGO (SIL Open Font License): Latin, Greek, Cyrillic, Arabic, Hebrew, Thai, Georgian and
Devanagari. It has no Chinese, Japanese, Korean or Armenian: such a character is printed as its code,
`[U+738B]`, never as a question mark; the text version has it, and every sheet says so (R-95).
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fpdf import FPDF
from pymupdf_fonts import fontbuffers

from arrp.wire.sheet import Part, Row, Sheet, printable

MARGIN, FOOT = 20, 18  # millimetres
LABEL_WIDTH, TEXT_WIDTH = 46, 170
LINE, FORM_LINE = 5.2, 7.4  # a form is written on by hand
_FONTS = {"": "figo", "B": "figbo"}  # as the font package names FiraGO regular and bold


def pdf(sheet: Sheet) -> bytes:
    """The sheet as a PDF file."""
    with TemporaryDirectory(prefix="arrp-fonts-") as folder:
        pages = _Pages(sheet, Path(folder))
        pages.add_page()
        pages.title_of(sheet)
        for part in sheet.parts:
            pages.part(part)
        return bytes(pages.output())


class _Pages(FPDF):
    """A document whose pages name what they belong to."""

    def __init__(self, sheet: Sheet, fonts: Path) -> None:
        super().__init__(format="A4")
        self.sheet = sheet
        for style, name in _FONTS.items():
            file = fonts / f"{name}.ttf"
            file.write_bytes(_font(name))
            self.add_font("paper", style, file)
        self.known: Container[int] = set(self.fonts["paper"].cmap) & set(self.fonts["paperB"].cmap)  # type: ignore[union-attr]
        self.set_text_shaping(True)  # joins Arabic letters, puts marks in their place
        self.set_creation_date(sheet.written_at)  # never the clock's: the same sheet is the same file
        self.set_title(self.shown(sheet.title))
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(True, FOOT + 8)

    def header(self) -> None:
        self.set_font("paper", "", 8)
        self.cell(0, 5, f"Reference {self.sheet.reference}", align="L")
        self.set_x(MARGIN)
        self.cell(0, 5, f"Case {self.shown(self.sheet.case)}", align="R", new_x="LMARGIN", new_y="NEXT")
        self.line(MARGIN, self.get_y() + 1, MARGIN + TEXT_WIDTH, self.get_y() + 1)
        self.ln(5)

    def footer(self) -> None:
        self.set_y(-FOOT)
        self.set_font("paper", "", 8)
        self.cell(0, 5, f"Page {self.page_no()} of {{nb}}", align="C")

    def title_of(self, sheet: Sheet) -> None:
        self.set_font("paper", "B", 16)
        self.multi_cell(0, 8, self.shown(sheet.title), new_x="LMARGIN", new_y="NEXT")

    def part(self, part: Part) -> None:
        """A part begins where its title and first row fit; a form stays whole."""
        line = FORM_LINE if part.is_form else LINE
        rows = part.rows if part.is_form else part.rows[:1]
        needed = 14 + sum(map(self._said_height, part.said)) + sum(self._height(row, line) for row in rows)
        if self.will_page_break(min(needed, self.eph - 20)):
            self.add_page()
        self.ln(4)
        self.set_font("paper", "B", 11)
        self.cell(0, 6, self.shown(part.title), new_x="LMARGIN", new_y="NEXT")
        self.line(MARGIN, self.get_y(), MARGIN + TEXT_WIDTH, self.get_y())
        self.ln(1.5)
        for said in part.said:
            self.set_font("paper", "", 9)
            self.multi_cell(0, 4.6, self.shown(said), align="L", new_x="LMARGIN", new_y="NEXT")
            self.ln(1)
        for row in part.rows:
            self.row(row, line)

    def row(self, row: Row, line: float) -> None:
        if self.will_page_break(self._height(row, line)):
            self.add_page()
        top = self.get_y()
        self.set_font("paper", "B", 9)
        self.multi_cell(LABEL_WIDTH - 2, line, self.shown(row.label), align="L", new_x="LMARGIN", new_y="NEXT")
        below = self.get_y()
        self.set_xy(MARGIN + LABEL_WIDTH, top)
        self.set_font("paper", "", 9)
        self.multi_cell(TEXT_WIDTH - LABEL_WIDTH, line, self._value(row), align="L", new_x="LMARGIN", new_y="NEXT")
        self.set_y(max(below, self.get_y()))

    def _value(self, row: Row) -> str:
        return "\n".join(self.shown(said) for said in row.value.split("\n"))

    def _height(self, row: Row, line: float) -> float:
        self.set_font("paper", "", 9)
        height = self.multi_cell(TEXT_WIDTH - LABEL_WIDTH, line, self._value(row), align="L", dry_run=True,
                                 output="HEIGHT")
        return float(height)  # type: ignore[arg-type]

    def _said_height(self, said: str) -> float:
        self.set_font("paper", "", 9)
        return float(self.multi_cell(0, 4.6, self.shown(said), align="L", dry_run=True, output="HEIGHT")) + 1  # type: ignore[arg-type]

    def shown(self, said: str) -> str:
        """What the font has, and the code of what it has not."""
        return "".join(sign if ord(sign) in self.known or sign in "\u200c\u200d" else f"[U+{ord(sign):04X}]"
                       for sign in printable(said))


@cache
def _font(name: str) -> bytes:
    return bytes(fontbuffers[name]())
