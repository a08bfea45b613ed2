package ingest

// canonical JSON: the keys of the contract beat their aliases wherever they stand; fields.go lists both.
var _ = addFormat(Format{
	Name:    "canonical-json",
	Aliases: []string{"json"},
	Help:    "JSON objects with sundew's keys, OpenTelemetry, ECS, or the usual nginx, Envoy and Caddy names",
	Rank:    rankSyntax,
	New:     func() Decoder { return newCanonicalJSON() },
	Likely:  isObject,
})

func newCanonicalJSON() *objectDecoder {
	d := newObjectDecoder(fields)
	d.canonical = true
	return d
}

func isObject(line []byte) bool { return line[0] == '{' }
