package ingest

// Apache escapes quotes and backslashes with a backslash and other bytes as \xHH (mod_log_config). With HostnameLookups
// on, the client is a name and the line a dead letter: whoever owns the address chooses its name.
var _ = addFormat(Format{
	Name:    "apache",
	Aliases: []string{"litespeed", "varnish", "varnishncsa", "fastly"},
	Help:    "Apache common, combined and vhost_combined, which LiteSpeed, varnishncsa and Fastly write too",
	Rank:    rankFamily + 1,
	New:     newCombined,
	Likely:  likelyCombined,
	Compile: compileApache,
})
