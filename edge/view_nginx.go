package edge

import (
	"bufio"
	"slices"

	"sundew"
)

var _ = register(viewNginx())

// viewNginx is a file to include in a geo block, or with kinds=device in a map block: key, space, value as in
// viewHAProxy, semicolon.
func viewNginx() view {
	return view{extension: "nginx", mediaType: "text/plain; charset=utf-8", narrow: networksTarpitted, write: writeNginx}
}

// nginxWords mean something as the first word of a line in a map or geo block: a client that calls its device "include"
// must not make nginx read a file.
var nginxWords = []string{"default", "delete", "hostnames", "include", "proxy", "proxy_recursive", "ranges", "volatile"}

func writeNginx(w *bufio.Writer, s snapshot) error {
	for d := range s.hardest {
		if isNginxWord(d) {
			s.omit("key")
			continue
		}
		_, _ = w.WriteString(d.Entity.Key) // the writer keeps its first error for the next byte
		_ = w.WriteByte(' ')
		_, _ = w.WriteString(mapValue(d))
		_ = w.WriteByte(';')
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

func isNginxWord(d *sundew.Decision) bool { return slices.Contains(nginxWords, d.Entity.Key) }
