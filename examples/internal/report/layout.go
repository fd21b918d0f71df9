package report

import (
	"io"
	"strings"
)

// grid is a table of text whose columns line up: numbers to the right, words to the left.
type grid struct {
	left map[int]bool // columns that line up to the left
	rows [][]string
}

func (g *grid) add(cells ...string) {
	g.rows = append(g.rows, cells)
}

// write prints the rows, indented, with two spaces between columns and none at the end.
func (g *grid) write(w io.Writer) {
	var widths []int
	for _, row := range g.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len(cell))
			if g.left[i] {
				cell += pad
			} else {
				cell = pad + cell
			}
			line.WriteString("  " + cell)
		}
		io.WriteString(w, strings.TrimRight(line.String(), " ")+"\n")
	}
}
