package ingest

// Caddy's keys are among those of fields.go.
var _ = addFormat(Format{
	Name: "caddy",
	Help: "Caddy, JSON access log",
	Rank: rankProduct,
	New:  func() Decoder { return newCanonicalJSON() },
	Likely: func(line []byte) bool {
		return isObject(line) && containsAll(line, []string{`"remote_ip"`, `"request"`, `"ts"`})
	},
})
