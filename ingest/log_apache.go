package ingest

// apacheFormat is Apache's common, combined and vhost_combined. Apache escapes quotes and backslashes with a backslash
// and other bytes as \xHH (mod_log_config). With HostnameLookups on, the client is a name and the line a dead letter:
// whoever owns the address chooses its name.
func apacheFormat() Format {
	return Format{
		Name:   "apache",
		Help:   "Apache common, combined and vhost_combined, also through syslog",
		New:    newCombined,
		Likely: likelyCombined,
	}
}
