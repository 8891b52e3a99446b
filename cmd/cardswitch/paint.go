package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// paint colours words where a person reads them, and leaves them as they are for files and pipes.
type paint struct {
	on    bool
	width int // of a line
}

// plainWidth is the width of a line where there is no terminal to ask.
const plainWidth = 80

// painter paints for an output. NO_COLOR turns colours off (no-color.org).
func painter(out io.Writer) paint {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return paint{width: plainWidth}
	}
	p := paint{on: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", width: plainWidth}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width >= 40 {
		p.width = min(width, 120)
	}
	return p
}

// The colours, as a terminal is told them.
const (
	inBold   = "1"
	inFaint  = "2"
	inRed    = "31"
	inGreen  = "32"
	inYellow = "33"
	inBlue   = "34"
)

func (p paint) in(colour, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
