package ingest

// nginx escapes quotes, backslashes, control characters and bytes above 126 as \xHH (ngx_http_log_module,
// escape=default).
var _ = addFormat(Format{
	Name:    "nginx",
	Help:    "nginx combined and main, also with request_time, X-Forwarded-For or name=value behind",
	Rank:    rankFamily,
	New:     newCombined,
	Likely:  likelyCombined,
	Compile: compileNginx,
})
