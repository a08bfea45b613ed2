package ingest

// Envoy and Istio name the keys of their JSON log after the command operators; fields.go has them.
var _ = addFormat(Format{
	Name:    "istio-json",
	Aliases: []string{"envoy-json"},
	Help:    "Istio and Envoy, JSON access log",
	Rank:    rankProduct,
	New:     func() Decoder { return newCanonicalJSON() },
	Likely: func(line []byte) bool {
		return isObject(line) && containsAll(line, []string{`"downstream_remote_address"`, `"response_code"`})
	},
})
