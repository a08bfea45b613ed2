package ingest

import "bytes"

// Traefik's common log format: combined with the number of the request, router, server and duration behind it.
var _ = addFormat(Format{
	Name: "traefik",
	Help: "Traefik's common log format",
	Rank: rankProduct,
	New: func() Decoder {
		d := newCombined().(*combined)
		d.behind = []string{"request_count", "router", "server_url", "duration_ms"}
		return d
	},
	Likely: func(line []byte) bool { return likelyCombined(line) && bytes.HasSuffix(line, []byte("ms")) },
})
