package ingest

import "bytes"

// The controller's log format is nginx's combined with eight columns behind it.
var _ = addFormat(Format{
	Name: "nginx-ingress",
	Help: "the nginx ingress controller of Kubernetes",
	Rank: rankProduct,
	New: func() Decoder {
		d := newCombined().(*combined)
		d.behind = []string{
			"request_length", "request_time", "proxy_upstream_name", "proxy_alternative_upstream_name", "upstream_addr",
			"upstream_response_length", "upstream_response_time", "upstream_status", "req_id",
		}
		return d
	},
	Likely: func(line []byte) bool { return likelyCombined(line) && bytes.Contains(line, []byte("] [")) },
})
