package ingest

// nginxFormat is nginx's combined format and its custom "main", which appends X-Forwarded-For. nginx escapes quotes,
// backslashes, control characters and bytes above 126 as \xHH (ngx_http_log_module, escape=default).
func nginxFormat() Format {
	return Format{
		Name:   "nginx",
		Help:   "nginx combined and main, also with request_time, X-Forwarded-For or name=value behind, also through syslog",
		New:    newCombined,
		Likely: likelyCombined,
	}
}
