# SPDX-License-Identifier: Apache-2.0
"""What the person at the terminal sees. Colour and motion on terminals only."""
import os
import sys

GREEN, RED, BOLD, DIM = "32", "31", "1", "2"
BAR = 24


class Screen:
    """Lines of text; one line may be rewritten while something goes on."""

    def __init__(self, out=sys.stdout, environ=os.environ):
        self.out = out
        self.live = out.isatty() and environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and not environ.get("NO_COLOR")
        self.unfinished = False     # the line will be written again

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def line(self, text=""):
        self.clear()
        print(text, file=self.out, flush=True)

    def title(self, text):
        self.line(self.paint(BOLD, text))

    def ok(self, text):
        self.line(f"  {self.paint(GREEN, 'ok')}    {text}")

    def hint(self, text):
        self.line(self.paint(DIM, text))

    def fail(self, text):
        first, *rest = text.splitlines()
        self.line(f"  {self.paint(RED, 'FAIL')}  {first}")
        for line in rest:
            self.line(f"        {line}")

    def progress(self, done, total, text=""):
        """Show how far the work is; leaves nothing behind."""
        if self.live:
            full = BAR * done // total
            self.rewrite(f"  [{'#' * full}{'.' * (BAR - full)}] "
                         f"{done}/{total}  {text}")

    def busy(self, text):
        """Show what is being waited for; leaves nothing behind."""
        if self.live:
            self.rewrite(self.paint(DIM, f"  ..    {text}"))

    def rewrite(self, text):
        self.clear()
        self.out.write(text)
        self.out.flush()
        self.unfinished = True

    def clear(self):
        if self.unfinished:
            self.out.write("\r\x1b[K")
            self.unfinished = False
