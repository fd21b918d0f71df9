package tidy

import (
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateMap = flag.Bool("update", false, "draw the map of the packages instead of comparing with it")

const (
	mapFile    = "docs/pictures/map.svg"
	modulePath = "github.com/sockring/uring"

	// The size of a room, and of the whole.
	roomWidth, roomHeight = 156, 46
	mapWidth, mapHeight   = 720, 560
)

// room is a package of the map, by its directory, with its place: the middle of its upper edge.
type room struct {
	dir  string
	what string
	x, y int
}

// rooms are the packages of the library. A line goes from each to those that it imports.
var rooms = []room{
	{"socketops/socketvar", "statistics for expvar", 190, 14},
	{"socketops/prometheus", "and for Prometheus", 410, 14},
	{"socketops", "sockets on any engine", 300, 104},
	{".", "the ring, and its Sender", 170, 194},
	{"compat_aio", "Linux AIO", 440, 194},
	{"internal/probe", "what the kernel can do", 100, 284},
	{"internal/sendq", "bytes in order", 400, 284},
	{"internal/epoll", "readiness", 610, 284},
	{"internal/rawring", "a ring without liburing", 86, 374},
	{"cring", "liburing, by cgo", 310, 454},
}

// helpers are imported nearly everywhere, and have no lines.
var helpers = []string{"internal/eintr", "internal/goroutine", "internal/race", "internal/unix"}

// detours are where a line would go through a room: it goes to this column first, and down there.
var detours = map[[2]string]int{{"socketops", "internal/epoll"}: 610}

// TestMapIsOfTheImports holds the drawing of the packages to their imports.
func TestMapIsOfTheImports(t *testing.T) {
	imports := libraryImports(t)
	want := drawMap(t, imports)
	file := filepath.Join(root, mapFile)
	if *updateMap {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	require.True(t, want == readRoot(t, mapFile),
		"%s is not of the imports: go test ./internal/tidy -run TestMapIsOfTheImports -update", mapFile)
}

// libraryImports returns the packages of the repository that each room and helper imports, but for helpers.
func libraryImports(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	for name, content := range sources(t) {
		if filepath.Ext(name) != ".go" || isTest(name) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if dir, ours := strings.CutPrefix(imported, modulePath); ours {
				dir = path.Clean(strings.TrimPrefix(dir, "/"))
				if from := path.Dir(name); !slices.Contains(helpers, dir) && !slices.Contains(imports[from], dir) {
					imports[from] = append(imports[from], dir)
				}
			}
		}
	}
	return imports
}

// drawMap draws the rooms. What a room imports has to be one.
func drawMap(t *testing.T, imports map[string][]string) string {
	t.Helper()
	places := map[string]room{}
	for _, r := range rooms {
		places[r.dir] = r
	}
	var lines, boxes strings.Builder
	for _, r := range rooms {
		slices.Sort(imports[r.dir])
		for _, dir := range imports[r.dir] {
			to, known := places[dir]
			require.True(t, known, "%s imports %s, which is not on the map", r.dir, dir)
			if x, detour := detours[[2]string{r.dir, dir}]; detour {
				fmt.Fprintf(&lines, "<path class=\"line\" d=\"M%d %dH%dV%d\"/>\n", r.x+roomWidth/2, r.y+roomHeight/2, x, to.y)
				continue
			}
			fmt.Fprintf(&lines, "<path class=\"line\" d=\"M%d %dL%d %d\"/>\n", r.x, r.y+roomHeight, to.x, to.y)
		}
		name := r.dir
		if name == "." {
			name = "uring"
		}
		fmt.Fprintf(&boxes, "<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"/>"+
			"<text x=\"%d\" y=\"%d\">%s</text><text class=\"small\" x=\"%d\" y=\"%d\">%s</text>\n",
			r.x-roomWidth/2, r.y, roomWidth, roomHeight, r.x, r.y+20, name, r.x, r.y+37, r.what)
	}
	return fmt.Sprintf(mapFrame, mapWidth, mapHeight, mapWidth, mapHeight, mapWidth, mapHeight,
		lines.String(), boxes.String(), mapWidth/2, mapHeight-24, strings.Join(helpers, ", "))
}

const mapFrame = `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img"
 aria-label="The packages of the library, and which of them imports which">
<style>
text{font:13px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}.small{font-size:12px;fill:#59616b}
.ground{fill:#ffffff}.box{fill:#ffffff;stroke:#59616b;stroke-width:1.5}.line{stroke:#2563c9;stroke-width:1.5;fill:none}
@media (prefers-color-scheme: dark){text{fill:#e6e9ee}.small{fill:#a3acb8}.ground,.box{fill:#14181f}
.box{stroke:#a3acb8}.line{stroke:#6ea0f5}}
</style>
<rect class="ground" width="%d" height="%d"/>
%s%s<text class="small" x="%d" y="%d">without lines, as nearly all import them: %s</text>
</svg>
`
