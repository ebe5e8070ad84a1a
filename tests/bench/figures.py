"""A figure, its limit, and the table of them."""

import dataclasses
import textwrap

WIDTH = 80


@dataclasses.dataclass
class Figure:
    """`limit` is what the design allows; a figure without one is there to compare with."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self):
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self):
        return {**dataclasses.asdict(self), "met": self.met}


def number(value):
    if value >= 10000:
        return f"{value:,.0f}"
    for least, digits in ((100, 0), (10, 1), (0.1, 2)):
        if value >= least:
            return f"{value:.{digits}f}"
    return f"{value:.4f}"


def _line(figure):
    limit = ""
    if figure.limit is not None:
        limit = f"{'>=' if figure.at_least else '<='} {figure.limit:g}"
    verdict = {None: "", True: "yes", False: "NO"}[figure.met]
    return f"    {figure.name:<40.40} {number(figure.value):>9} {figure.unit:<9.9}{limit:>8} {verdict}"


def table(sections):
    """Lines of at most 80 columns. sections: [(title, what was done, [Figure])]"""
    lines = [f"  {'':<42} {'measured':>9} {'':<9}{'limit':>8} met"]
    for title, what, figures in sections:
        lines += ["", title, *(f"  {line}" for line in what.splitlines())]
        for figure in figures:
            lines.append(_line(figure).rstrip())
            lines += textwrap.wrap(figure.note, WIDTH, initial_indent=" " * 6,
                                   subsequent_indent=" " * 6)
    assert all(len(line) <= WIDTH for line in lines), [x for x in lines if len(x) > WIDTH]
    return "\n".join(lines)
