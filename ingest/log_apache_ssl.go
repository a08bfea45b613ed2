package ingest

import "bytes"

// The log of Apache's example configuration for mod_ssl: its lines have no status.
var _ = addFormat(Format{
	Name: "apache-ssl-request",
	Help: `Apache's ssl_request_log: [time] client protocol cipher "request" bytes`,
	Rank: rankProduct,
	New: func() Decoder {
		d, err := compileApache(`%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x "%r" %b`)
		if err != nil {
			panic(err) // the layout above does not compile
		}
		return d
	},
	Likely: func(line []byte) bool {
		return len(line) > commonLogTime+2 && line[0] == '[' && line[commonLogTime+1] == ']' && line[3] == '/' &&
			bytes.Contains(line, []byte(` "`))
	},
})
